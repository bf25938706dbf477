# SPDX-License-Identifier: LGPL-2.1-or-later
"""gunicorn and uvicorn with four workers, which are killed at random: only the nightly run has
these packages. (test_processes.py has a small server of its own.)"""

import http.client
import os
import random
import signal
import subprocess
import threading
import time

from kit import HERE, LONG, PATIENCE_S, ArenaTest, seeded, until

CUSTOMERS = 8
CALLS = 300


class Servers(ArenaTest):
    def gunicorn(self, *arguments):
        """It replaces workers that are killed."""
        self.serve("gunicorn", "-w", "4", "-b", "127.0.0.1:{port}", *arguments)

    def serve(self, *command, kills=1_000_000):
        """Customers order until each has made its calls, whichever workers are killed meanwhile."""
        rng = seeded()
        port = rng.randrange(20000, 30000)
        arguments = [*(word.format(port=port) for word in command), "--log-level", "critical"]
        restaurant = " ".join(command)
        env = {**os.environ, "CARTS": self.dir, "RESTAURANT": restaurant}
        env["PYTHONPATH"] = f"{HERE}:{env['PYTHONPATH']}"
        server = subprocess.Popen(arguments, env=env, cwd=HERE)
        self.addCleanup(server.kill)
        pids, made = set(), [0] * CUSTOMERS

        def ask(path):
            try:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
                connection.request("GET", path)
                response = connection.getresponse()
                response.read()
                pids.add(int(response.getheader("X-Pid")))
                return response.status == 200
            except (OSError, http.client.HTTPException):
                return False  # it was killed

        def customer(number, client):
            for call in range(CALLS):
                quantity = client.randrange(1, 4)
                until(lambda: ask(f"/{number}/call-{call}/{quantity}"))
                made[number] += quantity

        crew = [
            threading.Thread(target=customer, args=(i, random.Random(rng.random())))
            for i in range(CUSTOMERS)
        ]
        for thread in crew:
            thread.start()
        killed = 0
        while any(thread.is_alive() for thread in crew):
            time.sleep(0.1)
            if pids and killed < kills:
                pid = pids.pop()
                try:
                    os.kill(pid, signal.SIGKILL)
                    killed += 1
                except ProcessLookupError:
                    pass
        for thread in crew:
            thread.join()
        server.terminate()
        server.wait(PATIENCE_S)
        print(f"killed {killed} workers")
        self.assertGreater(killed, 0)
        for number in range(CUSTOMERS):
            order = self.store.cart(restaurant, f"customer-{number}").get()
            self.assertEqual((order.item_count, order.version), (made[number], CALLS))

    if LONG:

        def test_gunicorn_whose_workers_open_the_store(self):
            self.gunicorn("web:wsgi")

        def test_gunicorn_that_opens_the_store_before_it_forks(self):
            self.gunicorn("--preload", "web:wsgi")

        def test_gunicorn_with_workers_of_uvicorn(self):
            self.gunicorn("-k", "uvicorn.workers.UvicornWorker", "web:asgi")

        def test_uvicorn_with_several_workers(self):
            """It replaces none: one has to stay."""
            self.serve("uvicorn", "--port", "{port}", "--workers", "4", "web:asgi", kills=3)
