# SPDX-License-Identifier: LGPL-2.1-or-later
"""A job: one process for one phone call, as LiveKit agents and Pipecat run them. It reads tool
calls from its input, a line each, and writes their answers. Usage: job.py DIR RESTAURANT SESSION"""

import json
import sys

import corral
from tools import call, so_far


def main() -> None:
    dir, restaurant, session = sys.argv[1:]
    with corral.open(dir, label=f"job {session}") as store:
        cart = store.cart(restaurant, session)
        print(json.dumps(so_far(cart)), flush=True)
        for line in sys.stdin:
            id, name, said = json.loads(line)
            print(json.dumps(call(cart, name, said, id)), flush=True)


if __name__ == "__main__":
    main()
