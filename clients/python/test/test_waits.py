# SPDX-License-Identifier: LGPL-2.1-or-later
"""Waiting for a change and for the disk: calls that block, and coroutines."""

import asyncio
import gc
import os
import pathlib
import signal
import threading
import unittest
import weakref

import corral
from corral import CorralTimeout
from kit import COKE, PATIENCE_S, ArenaTest, in_thread, until


def threads():
    return len(os.listdir("/proc/self/task"))


def waiting():
    """A thread of this process, not the main one, sleeps in the kernel for a wait."""
    for task in pathlib.Path("/proc/self/task").iterdir():
        if int(task.name) != os.getpid() and "futex" in (task / "wchan").read_text():
            return True
    return False


class Blocking(ArenaTest):
    agent_args = ("--journal", "1h")

    def test_changed_answers_the_version_of_a_change_that_comes_later(self):
        cart = self.fresh()
        version = cart.add(COKE).version
        said = in_thread(self, lambda: cart.changed(after=version, timeout=PATIENCE_S))
        cart.add(COKE)  # while the other thread waits: it has let the GIL go
        until(lambda: said)
        self.assertEqual(said, [version + 1])
        self.assertEqual(cart.changed(after=version), version + 1)

    def test_changed_waits_for_a_cart_that_is_not_there_yet(self):
        cart = self.fresh()
        said = in_thread(self, cart.changed)
        cart.add(COKE)
        until(lambda: said)
        self.assertEqual(said, [1])

    def test_the_time_is_up_or_the_cart_ends_or_the_store_is_closed(self):
        cart = self.fresh()
        cart.add(COKE)
        for timeout in (0, 0.01):
            with self.assertRaises(TimeoutError) as caught:
                cart.changed(timeout=timeout)
            self.assertIsInstance(caught.exception, CorralTimeout)
            self.assertEqual(caught.exception.code, "ETIMEDOUT")
        said = in_thread(self, lambda: cart.changed(after=1))
        cart.drop()
        until(lambda: said)
        self.assertEqual(said[0].code, "ENOENT")
        other = corral.open(self.dir)
        other.cart("r", "never").add(COKE)
        said = in_thread(self, lambda: other.cart("r", "never").changed(after=7))
        until(waiting)
        other.close()
        until(lambda: said)
        self.assertEqual((said[0].code, "closed" in str(said[0])), ("ECANCELED", True))

    def test_a_signal_ends_a_wait_if_its_handler_raises(self):
        cart = self.fresh()
        cart.add(COKE)
        came = []
        before = signal.signal(signal.SIGUSR1, lambda *_: came.append(1))
        self.addCleanup(signal.signal, signal.SIGUSR1, before)

        def disturb():
            os.kill(os.getpid(), signal.SIGUSR1)  # its handler returns: the wait goes on
            until(lambda: came)
            os.kill(os.getpid(), signal.SIGINT)

        for call in (lambda: cart.changed(), lambda: self.store.cart("r", "no").changed()):
            came.clear()
            thread = threading.Thread(target=disturb)
            with self.assertRaises(KeyboardInterrupt):
                thread.start()
                call()
            thread.join()
            self.assertEqual(came, [1])

    def test_sync_waits_for_the_disk(self):
        before = self.store.stats()["journal_syncs"]
        self.fresh().add(COKE)
        self.store.sync()
        self.store.sync(timeout=PATIENCE_S)
        self.assertTrue(self.store.stats()["journal_syncs"] > before)

    def test_sync_without_an_agent_says_so(self):
        corral.stop_agent(self.dir)
        with self.refused("ENOTCONN"):
            self.store.sync()
        corral.start_agent(self.dir)
        self.store.sync()
        corral.start_agent(self.dir)  # one that runs will do
        asyncio.run(corral.start_agent_async(self.dir))
        with self.assertRaisesRegex(RuntimeError, "nothing-of-that-kind"):
            corral.start_agent(self.dir + "/x", args=["--nothing-of-that-kind"])


class Coroutines(ArenaTest, unittest.IsolatedAsyncioTestCase):
    agent_args = ("--journal", "1h")

    async def begun(self, *coroutines):
        tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
        await asyncio.sleep(0)
        return tasks

    async def test_changed_answers_the_version_of_a_change_that_comes_later(self):
        cart = self.fresh()
        version = cart.add(COKE).version
        (task,) = await self.begun(cart.changed_async())
        self.assertFalse(task.done())
        cart.add(COKE)
        self.assertEqual(await task, version + 1)
        self.assertEqual(await cart.changed_async(after=version), version + 1)
        (task,) = await self.begun(self.fresh().changed_async())
        self.store.cart("luigi", f"call-{next(self.numbers) - 1}").add(COKE)
        self.assertEqual(await task, 1)

    async def test_the_time_is_up_or_the_cart_ends_or_the_store_is_closed(self):
        cart = self.fresh()
        cart.add(COKE)
        for timeout in (0, 0.01):
            with self.assertRaises(TimeoutError):
                await cart.changed_async(timeout=timeout)
        (task,) = await self.begun(cart.changed_async())
        cart.drop()
        with self.refused("ENOENT"):
            await task
        other = corral.open(self.dir)
        cart = other.cart("r", "closing")
        cart.add(COKE)
        tasks = await self.begun(cart.changed_async(), cart.changed_async(after=7))
        other.close()
        for task in tasks:
            with self.refused("ECANCELED"):
                await task
        with self.refused("EBADF"):
            await cart.changed_async()

    async def test_cancelling_the_task_ends_the_wait(self):
        cart = self.fresh()
        cart.add(COKE)
        tasks = await self.begun(cart.changed_async(), cart.changed_async(), cart.changed_async())
        tasks[1].cancel()
        with self.assertRaises(asyncio.CancelledError):
            await tasks[1]
        with self.assertRaises(TimeoutError):
            async with asyncio.timeout(0.01):
                await cart.changed_async()
        cart.add(COKE)
        self.assertEqual([await tasks[0], await tasks[2]], [2, 2])

    async def test_300_waits_at_once_are_one_thread(self):
        carts = [self.fresh() for _ in range(300)]
        for cart in carts:
            cart.add(COKE)
        tasks = await self.begun(*(cart.changed_async(after=1) for cart in carts))
        before = threads()
        more = await self.begun(*(cart.changed_async(after=1) for cart in carts))
        self.assertEqual(threads(), before)
        for cart in reversed(carts):
            cart.add(COKE)
        self.assertEqual(set(await asyncio.gather(*tasks, *more)), {2})

    async def test_sync_waits_for_the_disk(self):
        before = self.store.stats()["journal_syncs"]
        for _ in range(50):
            self.fresh().add(COKE)
        await asyncio.gather(*(self.store.sync_async() for _ in range(50)))
        await self.store.sync_async(timeout=PATIENCE_S)
        self.assertTrue(self.store.stats()["journal_syncs"] > before)


class Loops(ArenaTest):
    def test_each_loop_has_its_own_waits_and_leaves_nothing_behind(self):
        cart = self.fresh()
        cart.add(COKE)
        descriptors = lambda: len(os.listdir("/proc/self/fd"))

        async def use():
            task = asyncio.ensure_future(cart.changed_async())
            abandoned = asyncio.ensure_future(self.store.cart("r", "no").changed_async())
            await asyncio.sleep(0)
            cart.add(COKE)
            await task
            return abandoned  # cancelled by asyncio.run()

        def run():
            asyncio.run(use())

        run()
        gc.collect()
        before = descriptors()
        for _ in range(20):
            run()
        both = [threading.Thread(target=run) for _ in range(8)]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()
        gc.collect()
        self.assertEqual(descriptors(), before)

    def test_waits_in_a_loop_that_was_stopped_go_with_it(self):
        cart = self.fresh()
        cart.add(COKE)

        def stopped():
            loop = asyncio.new_event_loop()
            task = loop.create_task(cart.changed_async())
            loop.call_soon(loop.call_soon, loop.stop)
            loop.run_forever()
            task._log_destroy_pending = False
            loop.close()
            return weakref.ref(loop)

        loops = [stopped() for _ in range(3)]
        asyncio.run(cart.changed_async(after=0))
        gc.collect()
        self.assertEqual([loop() for loop in loops], [None] * 3)

    def test_the_thread_for_waits_goes_when_there_are_none_and_comes_again(self):
        cart = self.fresh()
        cart.add(COKE)
        until(lambda: threads() == 1)
        for _ in range(2):
            with self.assertRaises(TimeoutError):
                asyncio.run(cart.changed_async(timeout=0.01))
            until(lambda: threads() == 1)
