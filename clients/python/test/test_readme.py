# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the READMEs show works, and what they say that it answers is what it answers."""

import os
import re
import unittest

from corral.testing import fresh_arena
from kit import ROOT, python


def programs(file):
    return re.findall(r"```python\n(.*?)```", (ROOT / file).read_text(), re.S)


SHOWN = """
def show(session_id, total_cents):
    print(session_id, total_cents)
    task.cancel()

async def main():
    global task
    store = corral.open(sys.argv[1])
    task = asyncio.ensure_future(screen(store, "luigi", show))
    await asyncio.sleep(0)
    store.cart("luigi", "call-17").add(corral.Item("coke", 250))
    try:
        await task
    except asyncio.CancelledError:
        pass

asyncio.run(main())
"""


class Readme(unittest.TestCase):
    def test_the_quick_start_prints_what_it_says_each_time(self):
        (program,) = programs("README.md")
        (said,) = re.findall(r"# (\d+ items, \d+ cents)", program)
        with fresh_arena() as (dir, _):
            for _ in range(2):
                run = python(program, env={**os.environ, "CORRAL_DIR": dir})
                self.assertEqual(run.stdout, said + "\n")

    def test_the_example_of_the_client_answers_what_it_says(self):
        program, screen, _, helper = programs("clients/python/README.md")
        checked, count = re.subn(r"(answer\.total_cents)  # (\d+)", r"assert \1 == \2", program)
        self.assertEqual(count, 1)
        with fresh_arena() as (dir, _):
            python(checked.replace("/var/lib/carts", dir))
        python(helper)
        shown = "import asyncio, corral, sys\n" + screen + SHOWN
        with fresh_arena() as (dir, _):
            self.assertEqual(python(shown, dir).stdout, "call-17 250\n")
