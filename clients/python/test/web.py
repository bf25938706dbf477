# SPDX-License-Identifier: LGPL-2.1-or-later
"""A web service for test_servers.py: /customer/operation/quantity adds to that customer's cart. The
store is opened when a server imports this, before or after it forks. $CARTS: the directory;
$RESTAURANT: whose customers."""

import os

import corral

store = corral.open(os.environ["CARTS"], label="web", patience_ms=60000)
store.cart("r", "before the workers").add(corral.Item("coke", 250))


def answer(path):
    number, op_id, quantity = path.strip("/").split("/")
    item = corral.Item("coke", 250, quantity=int(quantity))
    cart = store.cart(os.environ["RESTAURANT"], f"customer-{number}")
    return str(cart.add(item, op_id=op_id).version).encode()


def wsgi(environ, start_response):
    start_response("200 OK", [("X-Pid", str(os.getpid()))])
    return [answer(environ["PATH_INFO"])]


async def asgi(scope, receive, send):
    if scope["type"] != "http":
        return
    headers = [(b"x-pid", str(os.getpid()).encode())]
    body = answer(scope["path"])
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
