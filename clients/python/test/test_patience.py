# SPDX-License-Identifier: LGPL-2.1-or-later
"""Changes that find their cart taken, and calls that ask a server."""

import os
import signal
import threading
import time
import unittest

import corral
from kit import COKE, PATIENCE_S, ArenaTest, another_holds, in_thread, redis_server, until


class Held(ArenaTest):
    def test_without_patience_or_at_its_end_a_change_is_refused_and_reads_go_on(self):
        cart = self.fresh()
        cart.add(COKE)
        with another_holds(self.dir, cart):
            for patience_ms in (0, 10, 600):  # more than one slice
                with self.refused("EBUSY"):
                    cart.add(COKE, patience_ms=patience_ms)
            self.assertEqual(cart.get().item_count, 1)
        self.assertEqual(cart.get().item_count, 2)  # the other's

    def test_meanwhile_other_threads_go_on_and_the_change_is_made_when_its_turn_comes(self):
        cart, other = self.fresh(), self.fresh()
        cart.add(COKE)
        with another_holds(self.dir, cart):
            said = in_thread(self, lambda: cart.add(COKE).item_count)
            other.add(COKE)
            self.assertEqual(said, [])
        until(lambda: said)
        self.assertEqual(said, [3])

    def test_a_signal_ends_the_patience_if_its_handler_raises_and_nothing_is_changed(self):
        cart = self.fresh()
        cart.add(COKE)
        came = []
        before = signal.signal(signal.SIGUSR1, lambda *_: came.append(1))
        self.addCleanup(signal.signal, signal.SIGUSR1, before)

        def disturb():
            os.kill(os.getpid(), signal.SIGUSR1)  # its handler returns: the change goes on
            until(lambda: came)
            os.kill(os.getpid(), signal.SIGINT)

        with another_holds(self.dir, cart):
            thread = threading.Thread(target=disturb)
            with self.assertRaises(KeyboardInterrupt):
                thread.start()
                cart.add(COKE, patience_ms=3_600_000)
            thread.join()
        self.assertEqual((came, cart.get().item_count), ([1], 2))

    def test_closing_the_store_ends_the_patience(self):
        store = corral.open(self.dir, patience_ms=3_600_000)
        cart = self.fresh()
        cart.add(COKE)
        with another_holds(self.dir, cart):
            said = in_thread(self, store.cart("luigi", cart.session_id).clear)
            store.close()
            until(lambda: said)
        self.assertEqual(said[0].code, "EBADF")
        self.assertEqual(cart.get().item_count, 2)


class OnAServer(unittest.TestCase):
    def test_while_a_call_waits_for_its_answer_other_threads_go_on(self):
        with redis_server() as (location, server):
            with corral.open(location, patience_ms=PATIENCE_S * 1000) as store:
                cart = store.cart("r", "s")
                cart.add(COKE)
                calls = [
                    lambda: cart.add(COKE).item_count,
                    lambda: cart.get().item_count,
                    lambda: next(store.list("r")).item_count,
                    lambda: cart.changed(after=1, timeout=PATIENCE_S) > 1 and 2,
                    lambda: 2 if store.stats() else None,
                ]
                for call in calls:
                    # with the GIL kept the server would go on only after the call has failed
                    os.kill(server.pid, signal.SIGSTOP)
                    begun = threading.Event()
                    said = in_thread(self, lambda: begun.set() or call())
                    begun.wait(PATIENCE_S)
                    time.sleep(0.05)
                    os.kill(server.pid, signal.SIGCONT)
                    until(lambda: said)
                    self.assertEqual(said, [2])


if __name__ == "__main__":
    unittest.main()
