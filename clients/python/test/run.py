# SPDX-License-Identifier: LGPL-2.1-or-later
"""Run the tests whose file's and own name match a pattern; a line for each. Usage: run.py REGEX"""

import pathlib
import re
import signal
import sys
import time
import traceback
import unittest

HERE = pathlib.Path(__file__).parent


class Result(unittest.TestResult):
    """A line for each test, with what went wrong under it."""

    def __init__(self):
        super().__init__()
        self.passed = 0
        self.failed = 0

    def startTest(self, test):
        super().startTest(test)
        self.began = time.monotonic()

    def say(self, state, name, error=None):
        took = time.monotonic() - getattr(self, "began", time.monotonic())
        print(f"{state} {took:6.2f} s  {name}", flush=True)
        if error is not None:
            for line in "".join(traceback.format_exception(*error)).splitlines():
                print("     | " + line, flush=True)

    def addSuccess(self, test):
        self.passed += 1
        self.say("ok  ", test.id())

    def addFailure(self, test, error):
        self.failed += 1
        self.say("RED ", test.id(), error)

    addError = addFailure

    def addSubTest(self, test, subtest, error):
        if error is not None:
            self.addFailure(subtest, error)


def chosen(suite, pattern):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from chosen(test, pattern)
        elif re.search(pattern, test.id()):
            yield test


def main():
    # a shell's background job ignores it, and so would all that the tests start
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.path.insert(0, str(HERE))
    tests = list(chosen(unittest.defaultTestLoader.discover(str(HERE)), sys.argv[1]))
    if not tests:
        print(f"no test is called so: {sys.argv[1]}", file=sys.stderr)
        return 2
    result = Result()
    unittest.TestSuite(tests).run(result)
    print(f"{result.passed} passed, {result.failed} failed")
    return result.failed > 0


if __name__ == "__main__":
    sys.exit(main())
