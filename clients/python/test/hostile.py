# SPDX-License-Identifier: LGPL-2.1-or-later
"""Values that should not be given, and calls with them. Usage: hostile.py DIR SEED CALLS, which
calls the extension itself, as only the package should, with anything in every place."""

import random
import sys

import corral
from corral import Draft, Item, Modifier, _corral, step


class Hostile(Exception):
    """What objects here raise when they are asked for something."""


def throw(*args, **options):
    raise Hostile


class Thrower:
    __index__ = __int__ = __float__ = __str__ = __repr__ = __bool__ = throw
    __iter__ = __len__ = __getitem__ = __hash__ = __eq__ = __call__ = __fspath__ = throw


class ThrowingItem(Item):
    notes = property(throw, lambda self, value: None)


class ThrowingDict(dict):
    __getitem__ = __iter__ = __len__ = items = keys = get = __contains__ = throw


class ThrowingList(list):
    __getitem__ = __iter__ = __len__ = throw


class Key(str):
    """Found in a dict by its hash, and then compared."""

    __hash__ = str.__hash__
    __eq__ = throw


class Int(int):
    __index__ = __int__ = __bool__ = __eq__ = throw
    __hash__ = int.__hash__


def cyclic():
    value = []
    value.append(value)
    return value


def deep():
    value = []
    for _ in range(100000):
        value = [value]
    return value


MAKERS = [
    lambda: None,
    lambda: True,
    lambda: False,
    lambda: 0,
    lambda: 1,
    lambda: -1,
    lambda: 2**31,
    lambda: 2**32,
    lambda: 2**63,
    lambda: -(2**63),
    lambda: 2**64,
    lambda: 10**5000,
    lambda: 1.5,
    lambda: float("nan"),
    lambda: 1j,
    lambda: "",
    lambda: "a",
    lambda: "1",
    lambda: "\ud800",
    lambda: "\udfff\ud800",
    lambda: "a\0b",
    lambda: "x" * (1 << 20),
    lambda: "🍕" * 40,
    lambda: b"a",
    lambda: bytearray(8),
    lambda: memoryview(b"abc"),
    lambda: (),
    lambda: (1,),
    lambda: (1, 2),
    lambda: (1, Item("a", 1)),
    lambda: (3, 1, 1),
    lambda: (12, 7),
    lambda: [],
    lambda: [1, 2],
    lambda: [None] * 300,
    lambda: [None] * 5000,
    lambda: {},
    lambda: {"a": 1},
    lambda: {1: 2},
    lambda: {Key("notes"): 1, "menu_item_id": "a", "unit_price_cents": 1},
    lambda: {"menu_item_id": Key("a"), "unit_price_cents": Int(5)},
    lambda: set(),
    lambda: object(),
    lambda: object,
    lambda: Thrower(),
    lambda: Thrower,
    lambda: ThrowingItem("a", 1),
    lambda: ThrowingDict(menu_item_id="a", unit_price_cents=1),
    lambda: ThrowingList([1]),
    lambda: Item.__new__(Item),
    lambda: corral.Line.__new__(corral.Line),
    lambda: Modifier.__new__(Modifier),
    lambda: corral.Order.__new__(corral.Order),
    lambda: Draft.__new__(Draft),
    lambda: Int(5),
    lambda: Key("a"),
    lambda: throw,
    lambda: (i for i in (1, 2)),
    lambda: iter(Thrower, 1),
    lambda: range(3),
    lambda: Hostile("x"),
    lambda: sys,
    lambda: ...,
    cyclic,
    deep,
]

GOOD = {
    "item": lambda: {
        "menu_item_id": "a",
        "name": "A",
        "notes": "n",
        "unit_price_cents": 5,
        "quantity": 1,
        "separate": False,
        "tax_ppm": 5,
        "modifiers": [{"name": "m", "price_cents": 1}],
        "extras": {"k": [1, {"a": None}]},
    },
    "line": lambda: 1,
    "count": lambda: 1,
    "name": lambda: "n",
    "steps": lambda: [step.add(Item("a", 5)), step.remove(1)],
    "order": lambda: Draft([GOOD["item"]()], 5, [GOOD["adjustment"]()], 0, "", {"a": "b"}),
    "adjustment": lambda: {"name": "n", "kind": "tip", "cents": 5, "after_tax": True},
    "change": lambda: lambda order: order,
}

# The calls of a cart, and what is right in each place.
CALLS = {
    "add": ["item"],
    "apply": ["steps"],
    "set_quantity": ["line", "count"],
    "change_quantity": ["line", "count"],
    "remove": ["line"],
    "clear": [],
    "tax": ["count"],
    "attribute": ["name", "name"],
    "ttl": ["count"],
    "adjust": ["adjustment"],
    "remove_adjustment": ["name"],
    "pricing": ["count"],
    "currency": ["name"],
    "checkout": [],
    "drop": [],
    "replace": ["order"],
    "update": ["change"],
    "get": [],
}
OPTIONS = ["op_id", "if_version", "patience_ms", "tax_ppm", "tries", "touch", "extra"]
ALLOWED = (Hostile, TypeError, ValueError, AttributeError, corral.CorralError, RecursionError)


def spoil(rng, value):
    """A right value with something wrong in it, at any depth."""
    if rng.random() < 0.3 or not isinstance(value, (list, dict, Draft)) or not value:
        return rng.choice(MAKERS)()
    if isinstance(value, list):
        at = rng.randrange(len(value))
        value[at] = spoil(rng, value[at])
    elif isinstance(value, dict):
        key = rng.choice([*value, "extra"])
        value[key] = spoil(rng, value.get(key))
    else:
        name = rng.choice(list(Draft.__dataclass_fields__))
        setattr(value, name, spoil(rng, getattr(value, name)))
    return value


def call_cart(rng, cart):
    """One call with something wrong in it; False: it raised."""
    name = rng.choice(list(CALLS))
    values = [GOOD[place]() for place in CALLS[name]]
    options = {}
    if not values or rng.random() < 0.2:
        options[rng.choice(OPTIONS)] = rng.choice(MAKERS)()
    else:
        at = rng.randrange(len(values))
        values[at] = spoil(rng, values[at])
    try:
        getattr(cart, name)(*values, **options)
    except ALLOWED:
        return False
    return True


def native_calls(rng, dir):
    """The extension's own functions, and how many arguments each takes."""
    store = _corral.Store(dir.encode(), 0, 0)
    waits = _corral.Waits()
    store.apply("r", "native", None, [(1, Item("a", 1, extras={"a": 1}))], None, None, None)
    order = store.get("r", "native", True)
    events = _corral.Events(store, None, None, 0, 0)
    answer = store.apply("r", "native", None, [(6, 5)], None, None, None)
    return [
        (_corral.setup, 14),
        (_corral.currency_digits, 1),
        (_corral.after_fork, 0),
        (_corral.Store, 3),
        (_corral.Waits, 0),
        (store.apply, 7),
        (store.replace, 6),
        (store.drop, 5),
        (store.get, 3),
        (store.version, 2),
        (store.list, 1),
        (store.stats, 0),
        (store.label, 1),
        (waits.begin, 6),
        (waits.cancel, 1),
        (waits.take, 0),
        (waits.fileno, 0),
        (order._copy.items, 0),
        (order._copy.adjustments, 0),
        (order._copy.attributes, 0),
        (order._copy.rates, 0),
        (order._copy.pricing, 0),
        (_corral.Events, 5),
        (events.take, 0),
        (waits.begin_events, 2),
        (lambda a: waits.begin_events(events, a), 1),
        (lambda a: events.next(a if isinstance(a, str) else 0), 1),
        (lambda a: _corral.Events(store, a, None, 0, 0).take(), 1),
        (lambda a, b: _corral.Events(store, "r", "s", a, b).take(), 2),
        (type(answer), 0),
        (type(order._copy), 0),
        (lambda a, b: store.wait("r", a, b, 0), 2),
        (lambda a, b: store.wait(a, "s", b, 0), 2),
        (lambda a: store.wait(None, None, 0, a if isinstance(a, str) else 0), 1),
        (lambda a: setattr(answer, "version", a), 1),
        (lambda a: list(store.list(a)), 1),
        (lambda a: waits.begin(store, "r", "s", 0, 10, a), 1),
        (lambda a: waits.begin(a, None, None, 0, 10, 1), 1),
    ]


RIGHT = ["r", "s", None, 0, 1, True, 5]


def main():
    dir, seed, count = sys.argv[1:]
    rng = random.Random(int(seed))
    calls = native_calls(rng, dir)
    for _ in range(int(count)):
        call, places = rng.choice(calls)
        if rng.random() < 0.1:
            places = rng.randrange(9)
        values = [
            rng.choice(RIGHT) if rng.random() < 0.6 else rng.choice(MAKERS)()
            for _ in range(places)
        ]
        try:
            call(*values)
        except (*ALLOWED, OverflowError, RuntimeError, MemoryError):
            pass
    print("done")


if __name__ == "__main__":
    main()
