# SPDX-License-Identifier: LGPL-2.1-or-later
"""Streams of events: what they tell, how they wait, and how they end."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import unittest

import corral
from corral import Adjustment, Draft, Event, EventStep, Gap, Item, step
from corral.testing import fresh_arena
from kit import COKE, PATIENCE_S, ArenaTest, in_thread, often, redis_server, seeded, until


def told(events, count):
    """So many events, which are there already."""
    return [events.next(0) for _ in range(count)]


class Told(ArenaTest):
    def test_each_change_and_each_end_is_one_event_with_what_it_did(self):
        cart = self.fresh()
        with self.store.events(cart.restaurant_id, cart.session_id) as events:
            self.store.label("teller")
            cart.add(Item("burger", 899, quantity=2), op_id="call_1", tax_ppm=82500)
            cart.add(Item("burger", 899, quantity=2), op_id="call_1", tax_ppm=82500)  # not again
            with self.refused("ENXIO", 1):
                cart.remove(7)
            cart.apply([step.set_quantity(1, 5), step.adjust(Adjustment("a", "tip", cents=70))])
            cart.replace(Draft([COKE]), if_version=2)
            version = cart.checkout().version
            cart.drop()
            first, second, third, fourth, fifth = told(events, 5)
            with self.assertRaises(TimeoutError):
                events.next(0)
        self.assertEqual(
            [event.kind for event in (first, second, third, fourth, fifth)],
            ["changed"] * 3 + ["checked_out", "dropped"],
        )
        self.assertEqual((first.restaurant_id, first.session_id), ("luigi", cart.session_id))
        self.assertEqual((first.version, first.op_id, first.status), (1, "call_1", "open"))
        self.assertEqual((first.pid, first.label), (os.getpid(), "teller"))
        self.assertEqual((first.item_count, first.line_count), (2, 1))
        self.assertEqual((first.subtotal_cents, first.total_cents), (1798, 1946))
        self.assertTrue(abs(first.time_ms - time.time() * 1000) < PATIENCE_S * 1000)
        self.assertEqual(first.steps, [EventStep("add", 1, 2), EventStep("tax", 0, 82500)])
        self.assertEqual(
            second.steps, [EventStep("set_quantity", 1, 5), EventStep("adjust", 0, 70)]
        )
        self.assertEqual([one.step for one in third.steps], ["replace"])
        self.assertEqual((fourth.version, fourth.status), (version, "checked_out"))
        self.assertEqual((fifth.status, fifth.item_count), ("checked_out", 1))
        self.assertTrue(first.number < second.number < third.number < fourth.number)

    def test_a_cart_whose_time_is_up_is_told_of_by_the_agent(self):
        cart = self.fresh()
        with self.store.events(cart.restaurant_id, cart.session_id, kinds=["expired"]) as events:
            cart.add(COKE)
            cart.ttl(1000)
            event = events.next(PATIENCE_S)
        self.assertEqual((event.kind, event.total_cents), ("expired", 250))
        self.assertIsNone(cart.get())

    def test_only_the_events_that_are_wanted_come(self):
        one, other = self.store.cart("one", "a"), self.store.cart("other", "a")
        of_one = self.store.events("one")
        ends = self.store.events(kinds=["dropped", "checked_out"])
        for cart in (one, other):
            cart.add(COKE)
            cart.drop()
        self.assertEqual([e.restaurant_id for e in told(of_one, 2)], ["one", "one"])
        self.assertEqual([e.restaurant_id for e in told(ends, 2)], ["one", "other"])
        for events in (of_one, ends):
            with self.assertRaises(TimeoutError):
                events.next(0)
        for bad in ("dropped", [], {"dropped"}):
            with self.assertRaises(TypeError):
                self.store.events(kinds=bad)
        for bad in (["gone"], [5], ["gap"]):
            with self.assertRaises(ValueError):
                self.store.events(kinds=bad)
        with self.assertRaises(ValueError):
            self.store.events("")
        with self.refused("ENAMETOOLONG"):
            self.store.events("x" * 129)

    def test_a_number_goes_on_where_another_reader_ended(self):
        cart = self.fresh()
        with self.store.events("luigi") as events:
            for _ in range(5):
                cart.add(COKE)
            first = told(events, 3)
            position = events.position
            self.assertEqual(position, first[-1].number + 1)
        with self.store.events("luigi", from_=position) as events:
            self.assertEqual([e.version for e in told(events, 2)], [4, 5])
        with self.store.events("luigi", cart.session_id, from_="oldest") as events:
            self.assertEqual([e.version for e in told(events, 5)], [1, 2, 3, 4, 5])
        for bad in ("then", 1.5, True, None):
            with self.assertRaises(TypeError):
                self.store.events(from_=bad)
        for bad in (0, -1, 2**63):
            with self.assertRaises(ValueError):
                self.store.events(from_=bad)

    def test_a_slow_reader_is_told_of_a_gap_and_goes_on(self):
        cart = self.fresh()
        with self.store.events(from_="now") as events:
            cart.add(COKE)
            changes = often(3000, 100000)
            for _ in range(changes):
                cart.add(COKE)
            gaps, versions = [], [0]
            while versions[-1] <= changes:
                event = events.next(PATIENCE_S)
                if isinstance(event, Gap):
                    gaps.append(event)
                else:
                    versions.append(event.version)
        self.assertEqual(versions, sorted(set(versions)))
        self.assertTrue(gaps and all(gap.kind == "gap" for gap in gaps))
        self.assertTrue(all(gap.from_ <= gap.to == gap.number for gap in gaps), gaps)
        self.assertTrue(len(versions) - 1 + sum(gap.missed for gap in gaps) <= changes + 1)

    def test_where_there_are_no_events_that_is_said(self):
        with fresh_arena(["--feed", "off"]) as (_, store):
            with self.refused("EOPNOTSUPP"):
                store.events().next()
        with redis_server() as (location, _), corral.open(location) as store:
            with self.refused("EOPNOTSUPP"):
                store.events()


class Blocking(ArenaTest):
    def test_an_event_that_comes_later_wakes_and_other_threads_go_on(self):
        cart = self.fresh()
        with self.store.events("luigi", cart.session_id) as events:
            said = in_thread(self, lambda: next(events))
            until(lambda: in_use(events))
            cart.add(COKE)
            until(lambda: said)
            cart.add(COKE)
            cart.checkout()
            versions = []
            for event in events:
                versions.append(event.version)
                if event.kind == "checked_out":
                    break
            self.assertEqual((said[0].version, versions), (1, [2, 3]))

    def test_one_thread_at_a_time(self):
        events = self.store.events("nobody")
        said = in_thread(self, events.next)
        until(lambda: in_use(events))
        for call in (events.next, lambda: events.position):
            with self.assertRaises(ValueError):
                call()
        events.close()
        until(lambda: said)
        self.assertEqual(said[0].code, "EBADF")
        with self.refused("EBADF"):
            next(events)
        events.close()

    def test_a_closed_store_ends_them(self):
        store = corral.open(self.dir)
        events = store.events("nobody")
        said = in_thread(self, events.next)
        until(lambda: in_use(events))
        store.close()
        until(lambda: said)
        self.assertEqual(said[0].code, "EBADF")
        for call in (events.next, store.events):
            with self.refused("EBADF"):
                call()
        events.close()

    def test_a_signal_ends_them_if_its_handler_raises(self):
        came = []
        before = signal.signal(signal.SIGUSR1, lambda *_: came.append(1))
        self.addCleanup(signal.signal, signal.SIGUSR1, before)

        def disturb():
            os.kill(os.getpid(), signal.SIGUSR1)  # its handler returns: it goes on
            until(lambda: came)
            os.kill(os.getpid(), signal.SIGINT)

        thread = threading.Thread(target=disturb)
        with self.store.events("nobody") as events:
            with self.assertRaises(KeyboardInterrupt):
                thread.start()
                next(events)
            thread.join()
            self.store.cart("nobody", "s").add(COKE)
            self.assertEqual(next(events).version, 1)


def in_use(events):
    """Does a thread sleep in it?"""
    try:
        events.position
    except ValueError:
        return True
    return False



class Coroutines(ArenaTest, unittest.IsolatedAsyncioTestCase):
    async def test_events_come_while_other_tasks_go_on(self):
        cart = self.fresh()
        ticks = 0

        async def tick():
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0)

        ticker = asyncio.ensure_future(tick())
        versions = []
        with self.store.events("luigi", cart.session_id) as events:
            task = asyncio.ensure_future(collect(events, versions))
            await asyncio.sleep(0)
            for version in range(1, 201):
                cart.add(COKE)
                while len(versions) < version - 4:  # lanes have room for more
                    await asyncio.sleep(0)
            cart.checkout()
            await task
            self.assertEqual(versions, list(range(1, 202)))
            self.assertTrue(ticks > 10)
            # those that are there already leave the others their turns, too
            ticks, versions = 0, []
            again = self.store.events("luigi", cart.session_id, from_="oldest")
            await collect(again, versions)
        ticker.cancel()
        self.assertEqual(versions, list(range(1, 202)))
        self.assertTrue(ticks > 1)

    async def test_changes_of_another_process_come_in_order_though_it_is_killed(self):
        rng = seeded()
        script = (
            "import sys, corral\n"
            "cart = corral.open(sys.argv[1]).cart('killed', sys.argv[2])\n"
            "for i in range(int(sys.argv[3]), 10**9):\n"
            "    cart.add(corral.Item('coke', 250), op_id=f'op-{i}')\n"
            "    print(i, flush=True)\n"
            "    if i % 3 == 2: sys.stdin.readline()\n"  # lanes have room for more
        )
        with self.store.events("killed") as events:
            for turn in range(often(1, 50)):
                read, made = [], 0
                while made < 30:
                    writer = subprocess.Popen(
                        [sys.executable, "-c", script, self.dir, str(turn), str(made)],
                        stdin=subprocess.PIPE,
                        stdout=subprocess.DEVNULL,
                        bufsize=0,
                    )
                    for _ in range(rng.randrange(1, 12)):
                        read.append(await events.__anext__())
                        if len(read) % 3 == 0:
                            writer.stdin.write(b"\n")
                    writer.kill()
                    writer.wait()
                    writer.stdin.close()
                    made = self.store.cart("killed", str(turn)).get().version
                    while read[-1].version < made:
                        read.append(await events.__anext__())
                self.assertEqual([e.version for e in read], list(range(1, made + 1)))
                self.assertEqual([e.op_id for e in read], [f"op-{i}" for i in range(made)])
                self.assertEqual(read[-1].total_cents, made * 250)

    async def test_cancelling_the_task_ends_the_wait_and_nothing_is_lost(self):
        cart = self.fresh()
        with self.store.events("luigi", cart.session_id) as events:
            for turn in range(1, 20):
                with self.assertRaises(TimeoutError):
                    async with asyncio.timeout(0.001 * (turn % 3)):
                        await events.__anext__()
                cart.add(COKE)
                self.assertEqual((await events.__anext__()).version, turn)
            task = asyncio.ensure_future(events.__anext__())
            await asyncio.sleep(0)
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task

    async def test_a_wait_that_ends_late_leaves_the_one_after_it_alone(self):
        cart = self.fresh()
        with self.store.events("luigi", cart.session_id) as events:
            first = asyncio.ensure_future(events.__anext__())
            await asyncio.sleep(0.01)
            first.cancel()
            await asyncio.sleep(0)
            while events._native.lent:
                pass  # the loop does not hear yet that the wait has ended
            second = asyncio.ensure_future(events.__anext__())
            await asyncio.sleep(0.01)
            self.assertTrue(events._native.lent)
            cart.add(COKE)
            self.assertEqual((await second).version, 1)

    async def test_closing_the_events_or_the_store_ends_the_wait(self):
        store = corral.open(self.dir)
        events, others = store.events("nobody"), store.events("nobody")
        tasks = [asyncio.ensure_future(e.__anext__()) for e in (events, others)]
        await asyncio.sleep(0.01)
        with self.assertRaises(RuntimeError):
            await events.__anext__()  # one task at a time
        with self.assertRaises(ValueError):
            events.position
        await events.aclose()
        with self.refused("EBADF"):
            await tasks[0]
        store.close()
        with self.refused("EBADF"):
            await tasks[1]
        with self.refused("EBADF"):
            await others.__anext__()

    async def test_100_streams_at_once_are_one_thread_which_goes_when_there_are_none(self):
        until(lambda: threads() == 1)
        cart = self.fresh()
        streams = [self.store.events("luigi", cart.session_id) for _ in range(100)]
        for turn in range(1, 4):
            tasks = [asyncio.ensure_future(events.__anext__()) for events in streams]
            await asyncio.sleep(0.01)
            self.assertEqual(threads(), 2)
            cart.add(COKE)
            self.assertEqual({e.version for e in await asyncio.gather(*tasks)}, {turn})
        until(lambda: threads() == 1)


async def collect(events, versions):
    async for event in events:
        versions.append(event.version)
        if event.kind == "checked_out":
            return


def threads():
    return len(os.listdir("/proc/self/task"))


class Forked(ArenaTest):
    def test_a_child_goes_on_with_the_streams_that_it_finds_and_so_does_the_parent(self):
        cart = self.fresh()

        async def parent():
            events = self.store.events("luigi", cart.session_id)
            task = asyncio.ensure_future(events.__anext__())
            await asyncio.sleep(0.01)
            pid = os.fork()
            if pid == 0:
                self.child(events, cart)
            _, status = await asyncio.to_thread(os.waitpid, pid, 0)
            self.assertEqual(status, 0)
            return [(await task).version, (await events.__anext__()).version]

        self.assertEqual(asyncio.run(parent()), [1, 2])

    def child(self, events, cart):
        """In a forked child, which ends without a word to its parent's event loop."""
        code = 1
        try:

            async def both():
                task = asyncio.ensure_future(events.__anext__())
                await asyncio.sleep(0.01)
                cart.add(COKE)
                cart.add(COKE)
                return [(await task).version, (await events.__anext__()).version]

            asyncio._set_running_loop(None)
            said = []
            thread = threading.Thread(target=lambda: said.append(asyncio.run(both())))
            thread.start()
            thread.join(PATIENCE_S)
            if said == [[1, 2]]:
                events.close()
                self.store.close()
                code = 0
        finally:
            os._exit(code)

    def test_streams_that_are_forgotten_leave_nothing_behind(self):
        descriptors = lambda: len(os.listdir("/proc/self/fd"))

        async def use():
            store = corral.open(self.dir)
            events = store.events("nobody")
            task = asyncio.ensure_future(events.__anext__())
            await asyncio.sleep(0.001)
            return events, task  # cancelled by asyncio.run()

        asyncio.run(use())
        until(lambda: threads() == 1)
        before = descriptors()
        for _ in range(10):
            asyncio.run(use())
        until(lambda: threads() == 1)
        self.assertEqual(descriptors(), before)


if __name__ == "__main__":
    unittest.main()
