# SPDX-License-Identifier: LGPL-2.1-or-later
"""A small pre-fork server: it opens the store, forks four workers that share a socket, and replaces
those that die, until its input ends. Usage: prefork.py DIR; it prints the socket's path."""

import contextlib
import os
import signal
import socket
import sys
import tempfile
import threading

import corral

WORKERS = 4


def answer(store, text, workers):
    """Of a request: a customer's number, an operation id and a quantity."""
    if text == "workers":
        return " ".join(map(str, workers))
    number, op_id, quantity = text.split()
    cart = store.cart("r", f"customer-{number}")
    item = corral.Item("coke", 250, quantity=int(quantity))
    return str(cart.add(item, op_id=op_id, patience_ms=60000).version)


def serve(listener, store, workers):
    store.label(f"prefork {os.getpid()}")
    while True:
        client, _ = listener.accept()
        with client:
            text = client.makefile().readline().strip()
            if text:
                client.sendall((answer(store, text, workers) + "\n").encode())


def main():
    dir = sys.argv[1]
    store = corral.open(dir)
    store.cart("r", "before the fork").add(corral.Item("coke", 250))
    path = os.path.join(tempfile.mkdtemp(), "socket")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(64)
    workers = set()

    def fork():
        pid = os.fork()
        if pid == 0:
            try:
                serve(listener, store, workers | {os.getpid()})
            finally:
                os._exit(1)
        workers.add(pid)

    for _ in range(WORKERS):
        fork()
    print(path, flush=True)
    ended = False
    lock = threading.Lock()  # no worker comes after the end

    def watch():
        nonlocal ended
        sys.stdin.read()
        with lock:
            ended = True
            for pid in workers:
                with contextlib.suppress(ProcessLookupError):  # it has just ended
                    os.kill(pid, signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()
    while workers:
        pid, _ = os.wait()
        with lock:
            workers.discard(pid)
            if not ended:
                fork()


if __name__ == "__main__":
    main()
