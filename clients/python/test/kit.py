# SPDX-License-Identifier: LGPL-2.1-or-later
"""What tests share."""

import contextlib
import itertools
import os
import pathlib
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import corral
from corral.testing import fresh_arena

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent.parent
BUILD = pathlib.Path(os.environ["CORRAL_BUILD"])
LONG = os.environ.get("PYTHON_TEST") == "long"
PATIENCE_S = 60  # only a test that fails waits so long

COKE = corral.Item("coke", 250)


def burger():
    return corral.Item(
        "burger",
        899,
        name="Burger",
        notes="no onions",
        quantity=2,
        modifiers=[corral.Modifier("bacon", 150), corral.Modifier("small", -50)],
    )


def often(usual, nightly):
    """As often as the nightly run does it, or as often as there is time for."""
    return nightly if LONG else usual


def until(condition):
    """Until something is so."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"it does not become so: {condition}")
        time.sleep(0.002)


def in_thread(test, call):
    """Run it in a thread; what it answers, or raises, as a list, empty at first."""
    said = []

    def run():
        try:
            said.append(call())
        except BaseException as error:
            said.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    test.addCleanup(thread.join)
    return said


def seeded():
    """Numbers from a seed, which is printed: CORRAL_SEED repeats a run."""
    seed = int(os.environ.get("CORRAL_SEED") or random.randrange(2**31))
    print(f"CORRAL_SEED={seed}")
    return random.Random(seed)


def python(script, *args, **options):
    """Run a script, given as text, in a process of its own."""
    options = {"check": True, "capture_output": True, "text": True, "timeout": 300, **options}
    return subprocess.run([sys.executable, "-c", script, *map(str, args)], **options)


def plain_environment():
    """Ours, without what a sanitizer needs, which is not for programs that are not ours."""
    return {
        key: text
        for key, text in os.environ.items()
        if key not in ("LD_PRELOAD", "PYTHONMALLOC")
    }


@contextlib.contextmanager
def redis_server():
    """One that runs as long as the block; its location, and the process."""
    os.environ["CORRAL_REDIS_MODULE"] = str(BUILD / "libcorral-redis.so.0")
    with tempfile.TemporaryDirectory() as dir:
        path = f"{dir}/socket"
        settings = ["--port", "0", "--unixsocket", path, "--dir", dir]
        server = subprocess.Popen(
            ["redis-server", *settings, "--save", "", "--appendonly", "no"],
            stdout=subprocess.DEVNULL,
            env=plain_environment(),
        )

        def answers():
            with socket.socket(socket.AF_UNIX) as client:
                return client.connect_ex(path) == 0

        try:
            until(answers)
            yield f"redis+unix://{path}", server
        finally:
            server.kill()
            server.wait()


@contextlib.contextmanager
def another_holds(dir, cart):
    """Another process is stopped in the middle of a change of this cart, which it makes at last."""
    holder = subprocess.Popen(
        [BUILD / "tests/holder", dir, cart.restaurant_id, cart.session_id, "slot"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=plain_environment(),
    )
    try:
        assert holder.stdout.readline() == "held\n"
        yield
    finally:
        holder.communicate()
    assert holder.returncode == 0, holder.returncode


class ArenaTest(unittest.TestCase):
    """Tests that share an arena: self.store, and a fresh cart each time."""

    agent_args = ()

    @classmethod
    def setUpClass(cls):
        arena = fresh_arena(cls.agent_args, patience_ms=PATIENCE_S * 1000)
        cls.dir, cls.store = cls.enterClassContext(arena)
        cls.numbers = itertools.count(1)

    def fresh(self):
        return self.store.cart("luigi", f"call-{next(self.numbers)}")

    def refused(self, code, step=None):
        return Refused(self, code, step)


class Refused:
    """The block raises CorralError of this code."""

    def __init__(self, test, code, step):
        self.test, self.code, self.step = test, code, step

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind is None or not issubclass(kind, corral.CorralError):
            self.test.assertIsNone(error)
            self.test.fail(f"{self.code} was not raised")
        self.test.assertEqual((error.code, error.step), (self.code, self.step), str(error))
        self.test.assertTrue(error.errno > 0 and str(error).startswith(self.code), str(error))
        return True
