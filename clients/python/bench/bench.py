# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compare the client with what else keeps orders in Python, in one run: each of the calls in turns,
so what disturbs the machine disturbs all of them. Prints Markdown. Usage: bench.py REDIS_SOCKET"""

import copy
import json
import statistics
import sys
import threading
import time

import redis

from corral import Item, Modifier
from corral.testing import fresh_arena

CARTS = 200
LINES = 20
ROUNDS = 31
CALLS = 200  # of one kind in a round

LINE_ITEMS = [
    Item(
        f"item-{i}",
        250 + i,
        name=f"Item number {i}",
        notes="no ice" if i % 4 == 0 else "",
        modifiers=[Modifier("large", 100)] if i % 2 else [],
    )
    for i in range(LINES)
]
AS_DICT = [
    {
        "menu_item_id": item.menu_item_id,
        "unit_price_cents": item.unit_price_cents,
        "name": item.name,
        "notes": item.notes,
        "quantity": 1,
        "modifiers": [{"name": m.name, "price_cents": m.price_cents} for m in item.modifiers],
    }
    for item in LINE_ITEMS
]


def same(line, item):
    keys = ("menu_item_id", "unit_price_cents", "notes", "modifiers")
    return all(line[key] == item[key] for key in keys)


def add_to(order, item):
    """What the service does with an order of its own: an equal line's quantity is raised."""
    for line in order["items"]:
        if same(line, item):
            line["quantity"] += 1
            break
    else:
        order["items"].append(dict(item))
    order["total_cents"] = sum(
        line["quantity"]
        * (line["unit_price_cents"] + sum(m["price_cents"] for m in line["modifiers"]))
        for line in order["items"]
    )
    return order


def calls(store, connection):
    """name -> a call on the cart of this number."""
    carts = [store.cart("bench", str(i)) for i in range(CARTS)]
    orders = {}
    lock = threading.Lock()
    for i, cart in enumerate(carts):
        for item in LINE_ITEMS:
            cart.add(item)
        orders[i] = {"items": [], "total_cents": 0}
        for item in AS_DICT:
            add_to(orders[i], copy.deepcopy(item))
        connection.setex(f"cart-{i}", 3600, json.dumps(orders[i]))

    # As little as a service with one process can do: lines by what makes them equal.
    lean = [{"lines": {}, "total_cents": 0} for _ in range(CARTS)]

    def dict_add(i, item=LINE_ITEMS[7]):
        modifiers = tuple((m.name, m.price_cents) for m in item.modifiers)
        key = (item.menu_item_id, item.unit_price_cents, item.notes, modifiers)
        with lock:
            order = lean[i]
            line = order["lines"].setdefault(key, {"name": item.name, "quantity": 0})
            line["quantity"] += item.quantity
            price = item.unit_price_cents + sum(cents for _, cents in modifiers)
            order["total_cents"] += price * item.quantity

    for i in range(CARTS):
        for item in LINE_ITEMS:
            dict_add(i, item)

    def redis_add(i):
        order = add_to(json.loads(connection.get(f"cart-{i}")), AS_DICT[7])
        connection.setex(f"cart-{i}", 3600, json.dumps(order))

    return {
        "corral add": lambda i: carts[i].add(LINE_ITEMS[7]),
        "corral get, items looked at": lambda i: carts[i].get().items,
        "corral get, its total looked at": lambda i: carts[i].get().total_cents,
        "dict and threading.Lock add (one process)": dict_add,
        "copy.deepcopy of a dict": lambda i: copy.deepcopy(orders[i]),
        "redis-py GET + json.loads": lambda i: json.loads(connection.get(f"cart-{i}")),
        "redis-py GET, add, SETEX (loses changes)": redis_add,
    }


def measure(each):
    """name -> microseconds a call, one figure for each round."""
    took = {name: [] for name in each}
    for turn in range(-2, ROUNDS):  # two to warm up
        for name, call in each.items():
            begin = time.perf_counter()
            for i in range(CALLS):
                call(i % CARTS)
            if turn >= 0:
                took[name].append((time.perf_counter() - begin) / CALLS * 1e6)
    return took


def ratio(took, over, under):
    """The median of the rounds' ratios, and what half of them lie between."""
    ratios = [a / b for a, b in zip(took[over], took[under])]
    low, middle, high = statistics.quantiles(ratios, n=4)
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def main():
    connection = redis.Redis(unix_socket_path=sys.argv[1])
    with fresh_arena() as (_, store):
        took = measure(calls(store, connection))
    print(f"Orders of {LINES} lines, {CARTS} of them; medians of {ROUNDS} rounds.\n")
    print("|  | microseconds |\n|---|---|")
    for name, rounds in took.items():
        print(f"| {name} | {statistics.median(rounds):.1f} |")
    print("\n| ratio in one run | median (half of the rounds) |\n|---|---|")
    add, get = "corral add", "corral get, items looked at"
    rows = [
        ("add, times dict and Lock", add, "dict and threading.Lock add (one process)"),
        ("copy.deepcopy, times get", "copy.deepcopy of a dict", get),
        ("redis-py GET + json.loads, times get", "redis-py GET + json.loads", get),
        ("redis-py GET and SETEX, times add", "redis-py GET, add, SETEX (loses changes)", add),
    ]
    for text, over, under in rows:
        print(f"| {text} | {ratio(took, over, under)} |")


if __name__ == "__main__":
    main()
