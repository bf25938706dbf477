# SPDX-License-Identifier: LGPL-2.1-or-later
"""Several processes and threads at once, and processes that end in the middle of things."""

import asyncio
import concurrent.futures
import json
import multiprocessing
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

import corral
from kit import BUILD, COKE, HERE, PATIENCE_S, ArenaTest, often, python, seeded, until

PROCESSES = 8
ADDS = 125


def add_many(dir, session, name, count):
    """In another process: how many of these adds it has made."""
    with corral.open(dir, patience_ms=PATIENCE_S * 1000) as store:
        cart = store.cart("r", session)
        return sum(cart.add(COKE, op_id=f"{name}-{i}").applied for i in range(count))


def use_inherited(cart, connection):
    """In a forked child: with the parent's store."""
    connection.send([cart.add(COKE).version, cart.get().item_count, cart.changed(after=0)])


class Processes(ArenaTest):
    def exactly(self, session, adds):
        order = self.store.cart("r", session).get()
        self.assertEqual(
            (order.item_count, order.total_cents, order.version, order.line_count),
            (adds, adds * 250, adds, 1),
        )

    def test_of_concurrent_adds_from_8_processes_none_is_lost_or_made_twice(self):
        spawn = multiprocessing.get_context("spawn")
        with concurrent.futures.ProcessPoolExecutor(PROCESSES, mp_context=spawn) as pool:
            for turn in range(often(3, 1000)):
                calls = [
                    pool.submit(add_many, self.dir, f"turn-{turn}", i, ADDS)
                    for i in range(PROCESSES)
                ]
                self.assertEqual(sum(call.result() for call in calls), PROCESSES * ADDS)
                self.exactly(f"turn-{turn}", PROCESSES * ADDS)

    def test_of_concurrent_adds_from_8_threads_none_is_lost(self):
        cart = self.store.cart("r", "threads")

        def work():
            for _ in range(ADDS):
                cart.add(COKE)
                cart.get().items

        crew = [threading.Thread(target=work) for _ in range(PROCESSES)]
        for thread in crew:
            thread.start()
        for thread in crew:
            thread.join()
        self.exactly("threads", PROCESSES * ADDS)

    def test_each_way_to_start_a_process(self):
        for method in multiprocessing.get_all_start_methods():
            context = multiprocessing.get_context(method)
            with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
                call = pool.submit(add_many, self.dir, method, "one", 5)
                self.assertEqual(call.result(), 5)
            self.exactly(method, 5)

    def test_a_forked_child_goes_on_with_the_parents_store(self):
        cart = self.store.cart("r", "forked")
        cart.add(COKE)
        context = multiprocessing.get_context("fork")
        ours, theirs = context.Pipe()
        child = context.Process(target=use_inherited, args=(cart, theirs))
        child.start()
        self.assertEqual(ours.recv(), [2, 2, 2])
        child.join()
        self.assertEqual((child.exitcode, cart.add(COKE).version), (0, 3))

    def test_a_child_forked_in_the_middle_of_waits_has_waits_of_its_own(self):
        async def parent():
            cart = self.store.cart("r", "waits")
            cart.add(COKE)
            waits = [asyncio.ensure_future(cart.changed_async()) for _ in range(3)]
            await asyncio.sleep(0.01)
            pid = os.fork()
            if pid == 0:
                self.child(cart)
            _, status = await asyncio.to_thread(os.waitpid, pid, 0)
            self.assertEqual(status, 0)
            return [await wait for wait in waits]

        self.assertEqual(asyncio.run(parent()), [2, 2, 2])

    def child(self, cart):
        """In a forked child, which ends without a word to its parent's event loop."""
        code = 1
        try:
            own = self.store.cart("r", "child")

            async def wait():
                task = asyncio.ensure_future(own.changed_async())
                await asyncio.sleep(0)
                own.add(COKE)
                return await task

            asyncio._set_running_loop(None)
            thread = concurrent.futures.ThreadPoolExecutor(1)
            if thread.submit(asyncio.run, wait()).result(PATIENCE_S) == 1:
                cart.add(COKE)
                code = 0
        finally:
            os._exit(code)

    def test_what_a_killed_process_was_acknowledged_is_there_and_a_repeat_makes_nothing_twice(self):
        script = (
            "import sys, corral\n"
            "cart = corral.open(sys.argv[1]).cart('r', sys.argv[2])\n"
            "for i in range(10**9):\n"
            "    cart.add(corral.Item('coke', 250), op_id=f'op-{i}')\n"
            "    print(i + 1, flush=True)\n"
        )
        for turn in range(often(5, 100)):
            session = f"killed-{turn}"
            victim = subprocess.Popen(
                [sys.executable, "-c", script, self.dir, session], stdout=subprocess.PIPE, text=True
            )
            lines = [victim.stdout.readline() for _ in range(random.randrange(1, 40))]
            victim.kill()
            lines += victim.stdout.readlines()
            victim.wait()
            said = max(int(line) for line in lines if line.endswith("\n"))
            victim.stdout.close()
            cart = self.store.cart("r", session)
            made = cart.get().item_count
            self.assertIn(made, (said, said + 1))
            cart.add(COKE, op_id=f"op-{made - 1}")
            self.assertEqual(cart.get().item_count, made)

    def test_a_process_may_end_in_any_way_while_waits_are_under_way(self):
        script = (
            "import asyncio, os, signal, sys, threading, corral\n"
            "store = corral.open(sys.argv[1])\n"
            "cart = store.cart('r', 'ends')\n"
            "cart.add(corral.Item('coke', 250))\n"
            "threading.Thread(target=lambda: cart.changed(after=10**9), daemon=True).start()\n"
            "async def main():\n"
            "    task = asyncio.ensure_future(cart.changed_async(after=10**9))\n"
            "    await asyncio.sleep(0.01)\n"
            "    if sys.argv[2] == '_exit': os._exit(7)\n"
            "    if sys.argv[2] == 'exit': sys.exit(7)\n"
            "    if sys.argv[2] == 'raise': raise RuntimeError('as wanted')\n"
            "    if sys.argv[2] == 'stop': asyncio.get_running_loop().stop()\n"
            "    if sys.argv[2] == 'interrupt': os.kill(os.getpid(), signal.SIGINT)\n"
            "    await asyncio.sleep(60)\n"
            "asyncio.run(main())\n"
        )
        processes = self.store.stats()["processes"]
        codes = {"_exit": 7, "exit": 7, "raise": 1, "stop": 1, "interrupt": -signal.SIGINT}
        for how, code in codes.items():
            run = python(script, self.dir, how, check=False)
            self.assertEqual(run.returncode, code, (how, run.stderr))
        until(lambda: self.status()["processes_dead"] == 0)  # others clean up
        self.assertEqual(self.store.cart("r", "ends").get().item_count, len(codes))

    def status(self):
        command = [BUILD / "corral", "--dir", self.dir, "status", "--json"]
        return json.loads(subprocess.check_output(command))["arena"]

    def test_subinterpreters_work_side_by_side_or_with_their_own_gil_are_refused(self):
        script = (
            "import sys, corral\n"
            "try:\n"
            "    import _xxsubinterpreters as interpreters\n"
            "except ImportError:\n"
            "    import _interpreters as interpreters\n"
            "store = corral.open(sys.argv[1])\n"
            "cart = store.cart('r', 'sub')\n"
            "code = f'''\n"
            "import sys\n"
            "sys.path[:] = {sys.path!r}\n"
            "try: import corral\n"
            "except ImportError as error:\n"
            "    assert 'does not support loading in subinterpreters' in str(error), error\n"
            "else:\n"
            "    store = corral.open({sys.argv[1]!r})\n"
            "    cart = store.cart('r', 'sub')\n"
            "    for _ in range(100): cart.add(corral.Item('coke', 250))\n"
            "    assert cart.get().items[0].quantity >= 100\n"
            "    try: cart.remove(9)\n"
            "    except corral.CorralError as error: assert error.code == 'ENXIO'\n"
            "'''\n"
            "for _ in range(5):\n"
            "    id = interpreters.create()\n"
            "    interpreters.run_string(id, code)\n"
            "    interpreters.destroy(id)\n"
            "cart.add(corral.Item('coke', 250))\n"
            "shares_the_gil = sys.version_info < (3, 12)\n"
            "assert cart.get().items[0].quantity == (501 if shares_the_gil else 1)\n"
        )
        python(script, self.dir)


class PreFork(ArenaTest):
    """A server in the manner of gunicorn: it opens the store, forks workers, and replaces them."""

    def test_workers_that_are_killed_at_random_lose_nothing_and_make_nothing_twice(self):
        rng = seeded()
        server = subprocess.Popen(
            [sys.executable, str(HERE / "prefork.py"), self.dir],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(server.stdout.close)
        path = server.stdout.readline().strip()
        carts, calls = 12, often(25, 500)
        made = [0] * carts
        killed = 0

        def customer(number):
            client = random.Random(rng.random())
            for call in range(calls):
                quantity = client.randrange(1, 4)
                request = f"{number} call-{call} {quantity}\n"
                until(lambda: ask(path, request))  # again, with the same id, if a worker died
                made[number] += quantity

        crew = [threading.Thread(target=customer, args=(i,)) for i in range(carts)]
        for thread in crew:
            thread.start()
        while any(thread.is_alive() for thread in crew) or killed < 5:
            workers = ask(path, "workers\n")
            if workers:
                try:
                    os.kill(int(rng.choice(workers.split())), signal.SIGKILL)
                    killed += 1
                except ProcessLookupError:
                    pass
            time.sleep(0.03)
        for thread in crew:
            thread.join()
        server.stdin.close()
        self.assertEqual(server.wait(PATIENCE_S), 0)
        print(f"killed {killed} workers")
        for number in range(carts):
            order = self.store.cart("r", f"customer-{number}").get()
            self.assertEqual((order.item_count, order.version), (made[number], calls))
            self.assertEqual(order.total_cents, made[number] * 250)


def ask(path, request):
    """A worker's answer, or None: it died."""
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(PATIENCE_S)
            client.connect(path)
            client.sendall(request.encode())
            return client.makefile().readline().strip() or None
    except OSError:
        return None


if __name__ == "__main__":
    unittest.main()
