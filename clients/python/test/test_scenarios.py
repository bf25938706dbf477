# SPDX-License-Identifier: LGPL-2.1-or-later
"""What every client answers alike: tests/contract/scenarios.json, which says what it means."""

import contextlib
import itertools
import json
import os
import unittest

import corral
from corral import Adjustment, Draft, Pricing, step
from kit import PATIENCE_S, ROOT, ArenaTest, redis_server


def pricing_of(given):
    return sum(getattr(Pricing, name.upper()) for name, said in given.items() if said is True)


def arguments(given):
    """A step's name, and what the call of that name takes."""
    given = dict(given)
    name = given.pop("step")
    if name == "add":
        return name, [given]
    if name == "adjust":
        return name, [Adjustment(**given)]
    if name == "pricing":
        return name, [pricing_of(given)]
    if "menu_item_id" in given:
        return name, [given.pop("menu_item_id"), *given.values()]
    return name, list(given.values())


def step_of(given):
    name, values = arguments(given)
    return getattr(step, name)(*values)


class Runner:
    """Plays one scenario."""

    def __init__(self, test, store, number):
        self.test, self.store, self.number = test, store, number
        self.carts, self.versions, self.last = {}, {}, {}

    def cart(self, call):
        name = call.get("cart", "")
        if name not in self.carts:
            self.carts[name] = self.store.cart("scenarios", f"{os.getpid()}-{self.number}-{name}")
        return name, self.carts[name]

    def end(self):
        """Servers may have other carts."""
        for cart in self.carts.values():
            if cart.get() is not None:
                cart.drop()

    def version(self, name):
        return self.versions[name] if isinstance(name, str) else name

    def make(self, cart, call):
        options = {"op_id": call.get("op_id"), "if_version": self.version(call.get("if_version"))}
        if call["call"] == "apply":
            return cart.apply([step_of(given) for given in call["steps"]], **options)
        if call["call"] == "do":
            name, values = arguments(call["step"])
            return getattr(cart, name)(*values, **options)
        if call["call"] == "replace":
            return cart.replace(Draft(**call["order"]), **options)
        return cart.drop(**options)

    def compare(self, expected, found, place):
        if isinstance(expected, dict) and place.endswith("attributes"):
            self.test.assertEqual(found, expected, place)
        elif isinstance(expected, dict):
            for key, value in expected.items():
                entry = found[int(key)] if key.isdigit() else getattr(found, key)
                value = self.version(value) if key == "version" else value
                self.compare(value, entry, f"{place}.{key}")
        else:
            found = list(found) if isinstance(found, tuple) else found
            self.test.assertEqual(found, expected, place)

    def play(self, call):
        name, cart = self.cart(call)
        if call["call"] == "get":
            order = cart.get()
            if call["order"] is None:
                return self.test.assertIsNone(order)
            self.test.assertIsNotNone(order)
            return self.compare(call["order"], order, "order")
        error = call.get("error", call.get("refused"))
        if error is not None:
            return self.refuse(cart, call, error, name)
        answer = self.make(cart, call)
        self.compare(call.get("answer", {}), answer, "answer")
        if answer.applied and call["call"] != "drop":
            self.test.assertGreater(answer.version, self.last.get(name, 0))
            self.last[name] = answer.version
        if "as" in call:
            self.versions[call["as"]] = answer.version

    def refuse(self, cart, call, error, name):
        kinds = (corral.CorralError,)
        if "refused" in call:
            kinds += (TypeError, ValueError)
        before = cart.get(touch=False)
        with self.test.assertRaises(kinds) as caught:
            self.make(cart, call)
        if isinstance(caught.exception, corral.CorralError):
            self.test.assertEqual(caught.exception.code, error)
            if "step_refused" in call:
                self.test.assertEqual(caught.exception.step or 0, call["step_refused"])
        after = cart.get(touch=False)
        self.test.assertEqual(before and before.version, after and after.version)


def play_all(test, store):
    numbers = itertools.count()
    data = json.loads((ROOT / "tests/contract/scenarios.json").read_text())
    for scenario in data["scenarios"]:
        runner = Runner(test, store, next(numbers))
        for i, call in enumerate(scenario["calls"], 1):
            with test.subTest(scenario["name"], call=i):
                runner.play(call)
        runner.end()
    test.assertGreater(next(numbers), 20)


class Scenarios(ArenaTest):
    def test_the_scenarios_of_all_clients_hold(self):
        play_all(self, self.store)


class OnServers(unittest.TestCase):
    """At the location $CORRAL_SERVERS (make cluster), else on one server of our own."""

    def test_the_scenarios_of_all_clients_hold_on_servers(self):
        with contextlib.ExitStack() as stack:
            servers = os.environ.get("CORRAL_SERVERS")
            if not servers:
                servers, _ = stack.enter_context(redis_server())
            store = stack.enter_context(corral.open(servers, patience_ms=PATIENCE_S * 1000))
            play_all(self, store)
