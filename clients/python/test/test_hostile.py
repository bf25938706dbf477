# SPDX-License-Identifier: LGPL-2.1-or-later
"""Anything in every place: a call that raises has changed nothing, and nothing crashes."""

import subprocess
import sys

import hostile
from kit import HERE, ArenaTest, often, seeded


class HostileArguments(ArenaTest):
    def test_a_call_that_raises_has_changed_nothing(self):
        rng = seeded()
        cart = self.store.cart("r", "hostile")
        raised = 0
        for _ in range(often(1200, 300000)):
            before = cart.get(touch=False)
            if not hostile.call_cart(rng, cart):
                raised += 1
                after = cart.get(touch=False)
                if before is None or after is None:
                    self.assertEqual(before, after)
                else:
                    self.assertEqual(before.version, after.version)
            elif cart.get() is not None and cart.get().status == "checked_out":
                cart.drop()
        self.assertTrue(raised > 500)

    def test_the_extension_itself_bears_anything(self):
        for _ in range(often(1, 10)):
            seed = seeded().randrange(2**31)
            calls = often(2000, 100000)
            run = subprocess.run(
                [sys.executable, str(HERE / "hostile.py"), self.dir, str(seed), str(calls)],
                capture_output=True,
                text=True,
            )
            self.assertEqual((run.returncode, run.stdout), (0, "done\n"), (seed, run.stderr))
