# SPDX-License-Identifier: LGPL-2.1-or-later
"""mypy finds the package's types right, allows what is right, and refuses what is wrong."""

import re
import subprocess
import unittest

from kit import BUILD, HERE, plain_environment


def mypy(*files):
    command = ["mypy", "--strict", "--no-incremental", "--cache-dir=/dev/null", *map(str, files)]
    run = subprocess.run(
        command, capture_output=True, text=True, cwd=HERE, env=plain_environment()
    )
    return run.stdout + run.stderr


class Types(unittest.TestCase):
    def test_the_package_is_typed_and_each_wrong_use_refused_and_no_right_one(self):
        examples = HERE.parent / "examples" / "voice_order"
        ours = (examples / f"{name}.py" for name in ("tools", "menu", "pipecat_tools", "start"))
        said = mypy(BUILD / "python" / "corral", HERE / "typed.py", *ours)
        self.assertIn("Found", said)
        wrong = {
            number
            for number, line in enumerate((HERE / "typed.py").read_text().splitlines(), 1)
            if line.endswith("# wrong")
        }
        found = {int(number) for number in re.findall(r"typed\.py:(\d+): error", said)}
        self.assertTrue(len(wrong) > 5)
        self.assertEqual(found, wrong, said)
        self.assertEqual(len(re.findall(r": error:", said)), len(wrong), said)
