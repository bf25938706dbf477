# SPDX-License-Identifier: LGPL-2.1-or-later
"""Start an agent and a job, and play the tool calls of a script, the same as that of Node's
example. Where it says so the job ends, or is killed before it can answer; the next one takes the
order up. Usage: start.py [SCRIPT]"""

import json
import pathlib
import subprocess
import sys
from typing import Any

from corral.testing import fresh_arena

HERE = pathlib.Path(__file__).parent
SCRIPT = HERE.parent.parent.parent / "node/examples/voice-order/script.jsonl"


class Job:
    def __init__(self, dir: str) -> None:
        command = [sys.executable, str(HERE / "job.py"), dir, "luigi", "call-17"]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.said = self.hear()
        if self.said:
            print(f"  (a new job: {self.said})")

    def hear(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        return json.loads(line) if line else None

    def tell(self, calls: list[Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("".join(json.dumps(call) + "\n" for call in calls))
        self.process.stdin.flush()

    def end(self, kill: bool = False) -> None:
        if kill:
            self.process.kill()
        self.process.communicate()


def play(dir: str, script: pathlib.Path) -> Any:
    """The last answer."""
    job = Job(dir)
    last: dict[str, Any] = {}
    for line in script.read_text().splitlines():
        event = json.loads(line)
        print(f"\"{event['says']}\"")
        if event.get("reconnect"):
            job.end()
            job = Job(dir)
        calls = [
            [id, name, {"version": last["version"]} if name == "confirm_order" else said]
            for id, name, said in event["calls"]
        ]
        job.tell(calls)
        if event.get("killed"):  # were they made? The same calls again, to another job
            job.end(kill=True)
            job = Job(dir)
            job.tell(calls)
        for _, name, _ in calls:
            answer = job.hear()
            print(f"  {name} -> {json.dumps(answer)}")
            last = answer if "version" in answer else last
    job.end()
    return last


def main() -> None:
    script = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else SCRIPT
    with fresh_arena() as (dir, _):
        last = play(dir, script)
        print(f"confirmed: {json.dumps(last['confirmed'])}, total {last['total']} cents")


if __name__ == "__main__":
    main()
