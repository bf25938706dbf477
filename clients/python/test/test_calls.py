# SPDX-License-Identifier: LGPL-2.1-or-later
"""What each call does."""

import copy
import dataclasses
import errno
import gc
import json
import os
import pathlib
import pickle
import subprocess
import sys
import time
import unittest
import weakref

import corral
from corral import Adjustment, CorralError, Draft, Item, Modifier, Pricing, step
from corral.testing import fresh_arena
from kit import BUILD, COKE, ArenaTest, burger, until


class Calls(ArenaTest):
    def test_an_item_comes_back_as_it_was_added(self):
        cart = self.fresh()
        answer = cart.add(burger())
        self.assertEqual((answer.total_cents, answer.line, answer.lines), (1998, 1, (1,)))
        order = cart.get()
        self.assertEqual(
            order.items,
            [
                corral.Line(
                    "burger",
                    899,
                    name="Burger",
                    notes="no onions",
                    quantity=2,
                    modifiers=[Modifier("bacon", 150), Modifier("small", -50)],
                    line=1,
                    modifiers_cents=100,
                    total_cents=1998,
                )
            ],
        )
        self.assertEqual((order.restaurant_id, order.session_id), ("luigi", cart.session_id))
        self.assertEqual((order.status, order.line_count, order.item_count), ("open", 1, 2))
        now = time.time() * 1000
        self.assertTrue(order.created_ms <= now + 1000 and order.expires_ms > now)

    def test_an_item_may_be_a_dict_as_json_has_it(self):
        one, two = self.fresh(), self.fresh()
        item = json.loads(
            '{"menu_item_id": "burger", "unit_price_cents": 899, "name": "Burger", "quantity": 2,'
            ' "notes": "no onions", "tax_ppm": null, "modifiers":'
            ' [{"name": "bacon", "price_cents": 150}, {"name": "small", "price_cents": -50}]}'
        )
        one.add(item)
        two.add(burger())
        self.assertEqual(one.get().items, two.get().items)
        line = dataclasses.asdict(two.get().items[0])
        self.assertEqual(one.add(line).item_count, 4)

    def test_texts_of_all_planes_come_back_as_they_were(self):
        cart = self.store.cart("Zoë’s 🍕", "séance-😀")
        cart.add(Item("ÿ", 1, name="日本 🍣", notes="é", modifiers=[Modifier("ñ", 0)]))
        cart.attribute("schlüssel", "🔑")
        order = cart.get()
        self.assertEqual((order.restaurant_id, order.session_id), ("Zoë’s 🍕", "séance-😀"))
        line = order.items[0]
        self.assertEqual((line.menu_item_id, line.name, line.notes), ("ÿ", "日本 🍣", "é"))
        self.assertEqual(line.modifiers[0].name, "ñ")
        self.assertEqual(order.attributes, {"schlüssel": "🔑"})
        rows = list(self.store.list("Zoë’s 🍕"))
        self.assertEqual([row.session_id for row in rows], ["séance-😀"])

    def test_a_list_of_items_with_a_tax_rate_is_one_change(self):
        answer = self.fresh().add([burger(), COKE, burger()], tax_ppm=corral.rate("8.25%"))
        self.assertEqual((answer.version, answer.lines, answer.item_count), (1, (1, 2, 1, 0), 5))
        self.assertEqual(
            (answer.subtotal_cents, answer.tax_cents, answer.total_cents), (4246, 350, 4596)
        )

    def test_the_answer_has_the_order_as_this_change_left_it(self):
        cart = self.fresh()
        first, second = cart.add(burger()), cart.add(COKE)
        self.assertEqual([line.menu_item_id for line in first.order.items], ["burger"])
        order = cart.get()
        order.expires_ms = second.order.expires_ms
        self.assertEqual(second.order, order)
        self.assertIs(first.order, first.order)
        self.assertEqual(len(cart.drop().order.items), 2)
        self.assertIsNone(cart.get())

    def test_steps_are_one_change_all_or_none(self):
        cart = self.fresh()
        answer = cart.apply(
            [
                step.add(burger()),
                step.add(COKE),
                step.set_quantity(1, 5),
                step.change_quantity("coke", 2),
                step.tax(100000),
                step.attribute("table", "7"),
                step.ttl(3600000),
            ]
        )
        self.assertEqual((answer.lines, answer.version), ((1, 2, 1, 2, 0, 0, 0), 1))
        before = cart.get()
        self.assertEqual([line.quantity for line in before.items], [5, 3])
        self.assertEqual(before.ttl_ms, 3600000)
        with self.refused("ENXIO", 2):
            cart.apply([step.clear(), step.remove(1)])
        self.assertEqual(cart.get().items, before.items)
        cart.apply([step.remove("coke"), step.attribute("table", None), step.checkout()])
        last = cart.get()
        self.assertEqual((last.attributes, last.status, last.line_count), ({}, "checked_out", 1))

    def test_each_single_call_does_what_its_name_says(self):
        cart = self.fresh()
        cart.add([burger(), COKE])
        self.assertEqual(cart.set_quantity(1, 3).item_count, 4)
        self.assertEqual(cart.set_quantity("coke", 2).item_count, 5)
        self.assertEqual(cart.change_quantity(1, -1).item_count, 4)
        self.assertEqual(cart.remove("coke").item_count, 2)
        self.assertEqual(cart.tax(corral.rate("10%")).tax_cents, 200)
        cart.attribute("phone", "555-0100")
        self.assertEqual(cart.get().attributes, {"phone": "555-0100"})
        cart.attribute("phone", None)
        self.assertEqual(cart.get().attributes, {})
        cart.ttl(60000)
        self.assertEqual(cart.get().ttl_ms, 60000)
        self.assertEqual(cart.clear().item_count, 0)
        self.assertEqual(cart.checkout().status, "checked_out")
        with self.refused("ESHUTDOWN", 1):
            cart.add(COKE)
        cart.drop()
        with self.refused("ENOENT"):
            cart.drop()

    def test_adjustments_pricing_and_currency(self):
        cart = self.fresh()
        cart.currency("EUR")
        cart.pricing(Pricing.TAX_INSIDE | Pricing.HALF_EVEN)
        cart.add(Item("wine", 1190, tax_ppm=190000), tax_ppm=70000)
        cart.add(Item("bread", 107))
        cart.adjust(Adjustment("coupon", "discount", ppm=100000, after_tax=True))
        answer = cart.adjust({"name": "tip", "kind": "tip", "cents": 100, "after_tax": True})
        order = cart.get()
        self.assertEqual((order.currency, order.currency_digits), ("EUR", 2))
        self.assertEqual(order.pricing, Pricing.TAX_INSIDE | Pricing.HALF_EVEN)
        self.assertEqual(
            order.rates, [corral.Rate(70000, 100, 7), corral.Rate(190000, 1000, 190)]
        )
        self.assertEqual(
            order.adjustments,
            [
                Adjustment("coupon", "discount", ppm=100000, after_tax=True, amount_cents=-130),
                Adjustment("tip", "tip", cents=100, after_tax=True, amount_cents=100),
            ],
        )
        self.assertEqual((answer.after_tax_cents, answer.total_cents), (-30, 1297 - 30))
        self.assertEqual(order.items[0].tax_ppm, 190000)
        with self.refused("ENOTEMPTY", 1):
            cart.currency("USD")
        self.assertEqual(cart.remove_adjustment("tip").total_cents, 1297 - 130)
        # what is read can be put back
        self.assertEqual(cart.replace(cart.get(), if_version=cart.get().version).total_cents, 1167)

    def test_a_line_gets_another_rate_and_that_of_the_cart_again(self):
        cart = self.fresh()
        cart.add([burger(), COKE])
        for line, ppm in ((1, 190000), ("coke", 70000), (1, None)):
            item = cart.apply([step.line_tax(line, ppm)]).order.items[line != 1]
            self.assertEqual(item.tax_ppm, ppm)
        with self.assertRaises(ValueError):
            cart.apply([step.line_tax(1, 1000001)])

    def test_the_same_change_with_an_operation_id_is_made_once(self):
        cart = self.fresh()
        first, again = cart.add(burger(), op_id="call_1"), cart.add(burger(), op_id="call_1")
        self.assertEqual((first.applied, again.applied), (True, False))
        self.assertEqual(
            (again.version, again.total_cents), (first.version, first.total_cents)
        )
        self.assertEqual(cart.get().item_count, 2)
        with self.refused("ENOTUNIQ"):
            cart.add(COKE, op_id="call_1")

    def test_a_change_may_name_the_version_that_it_expects(self):
        cart = self.fresh()
        version = cart.add(burger()).version
        cart.add(COKE, if_version=version)
        with self.refused("ECANCELED"):
            cart.checkout(if_version=version)

    def test_update_reads_changes_and_puts_back_again_if_another_came_between(self):
        cart = self.fresh()
        self.assertIsNone(cart.update(lambda order: None))
        self.assertIsNone(cart.get())
        cart.update(lambda order: Draft([burger()], tax_ppm=50000, attributes={"table": "3"}))
        calls = 0

        def change(order):
            nonlocal calls
            calls += 1
            if calls == 1:
                cart.add(COKE)  # another process's change
            order.items[0].quantity = 7
            order.items.append(Item("tea", 250))
            return order

        answer = cart.update(change)
        self.assertEqual(calls, 2)
        self.assertEqual(
            [(line.line, line.menu_item_id, line.quantity) for line in answer.order.items],
            [(1, "burger", 7), (2, "coke", 1), (3, "tea", 1)],
        )
        self.assertEqual(answer.order.attributes, {"table": "3"})

        def never(order):
            cart.tax(order.tax_ppm + 1)
            return order

        with self.refused("ECANCELED"):
            cart.update(never, tries=3)
        with self.assertRaises(ZeroDivisionError):
            cart.update(lambda order: 1 // 0)
        with self.assertRaises(TypeError):
            cart.update(lambda order: {"items": []})

    def test_extras_come_back_as_they_were(self):
        extras = {
            "allergy": "nuts 🥜",
            "": None,
            "deep": [1, -1, 2.5, True, False, [], {}, {"a": [{"b": ""}]}],
            "numbers": [0, 127, 128, 255, 256, 65535, 65536, 2**32, 2**64 - 1]
            + [-1, -32, -33, -128, -129, -32768, -32769, -(2**31), -(2**31) - 1, -(2**63)],
            "bytes": b"\x00\xff" * 200,
            "long": "x" * 300,
            "raw": corral.RawExtra(b"\xd4\x05\x01"),
            "list": list(range(100)),
            "map": {str(i): i for i in range(20)},
        }
        cart = self.fresh()
        cart.add(Item("a", 1, extras=extras))
        self.assertEqual(cart.get().items[0].extras, extras)
        self.assertEqual(cart.add(Item("a", 1, extras=extras)).line, 1)
        self.assertEqual(cart.add(Item("a", 1, extras={"allergy": "none"})).line, 2)

    def test_amounts_of_64_bits_are_exact(self):
        cart = self.fresh()
        most = 2**63 - 1
        self.assertEqual(cart.add(Item("a", most)).total_cents, most)
        self.assertEqual(cart.get().items[0].total_cents, most)
        with self.refused("EOVERFLOW", 1):
            cart.add(Item("a", 1))

    def test_lists_have_each_cart_once_and_may_be_left_half_way(self):
        for i in range(150):
            self.store.cart("many", str(i)).add(COKE)
        rows = list(self.store.list("many"))
        self.assertEqual(sorted(int(row.session_id) for row in rows), list(range(150)))
        self.assertEqual({row.total_cents for row in rows}, {250})
        self.assertTrue(len(list(self.store.list())) >= 150)
        half = self.store.list("many")
        next(half)
        del half
        self.assertEqual(list(self.store.list("none")), [])

    def test_get_without_touch_does_not_count_as_activity(self):
        cart = self.fresh()
        cart.add(COKE)
        cart.ttl(60000)
        first = cart.get(touch=False).expires_ms
        until(lambda: time.time() * 1000 > first - 60000 + 100)
        self.assertAlmostEqual(cart.get(touch=False).expires_ms, first, delta=20)
        until(lambda: cart.get().expires_ms > first + 50)  # activity is noted now and then

    def test_statistics_and_labels(self):
        stats = self.store.stats()
        self.assertTrue(stats["carts_open"] >= 0 and stats["processes"] >= 1, stats)
        with corral.open(self.dir, label="worker 7"):
            said = subprocess.run(
                [BUILD / "corral", "--dir", self.dir, "inspect", "processes"],
                capture_output=True,
                text=True,
                check=True,
            )
        self.assertIn("worker 7", said.stdout)

    def test_a_closed_store_refuses_and_closes_again(self):
        with corral.open(self.dir) as store:
            cart = store.cart("r", "closed")
            answer = cart.add(burger())
            rows = store.list()
        self.assertTrue(store.closed)
        store.close()
        for call in (
            lambda: cart.add(COKE),
            cart.get,
            cart.drop,
            store.stats,
            store.sync,
            cart.changed,
            lambda: next(rows),
            lambda: store.label("x"),
            lambda: cart.replace(Draft()),
        ):
            with self.refused("EBADF"):
                call()
        self.assertEqual(answer.order.items[0].quantity, 2)  # it is a copy

    def test_a_forgotten_store_is_closed(self):
        descriptors = lambda: len(os.listdir("/proc/self/fd"))
        before = descriptors()
        with fresh_arena() as (dir, _):
            other = corral.open(dir)
            other.cart("r", "s").add(COKE)
            del other
        gc.collect()
        self.assertEqual(descriptors(), before)

    def test_what_cannot_be_opened_says_why(self):
        with self.assertRaises(CorralError) as caught:
            corral.open("/nonexistent/carts")
        self.assertEqual((caught.exception.code, caught.exception.errno), ("ENOENT", errno.ENOENT))
        self.assertIn("/nonexistent/carts", str(caught.exception))
        with corral.open(pathlib.Path(self.dir), read_only=True) as store:
            with self.refused("EROFS"):
                store.cart("r", "s").add(COKE)

    def test_a_directory_may_have_any_name_that_linux_allows(self):
        name = os.fsdecode(self.dir.encode() + b"/\xff \xc3\xa9")
        os.symlink(self.dir, name)
        self.addCleanup(os.unlink, name)
        with self.assertRaises(CorralError) as caught:
            corral.open(name)
        self.assertEqual(caught.exception.code, "ELOOP")  # found, and refused as a link
        with self.assertRaises(ValueError):
            corral.open("a\0b")

    def test_no_call_keeps_or_loses_a_reference_to_what_it_was_given(self):
        cart = self.fresh()
        texts = ["".join(("text ", str(i))) for i in range(8)]
        extras = {texts[0]: [texts[1]]}
        modifier = Modifier(texts[2], 10**6)
        item = Item(texts[3], 10**7, texts[4], texts[5], 10**3, [modifier], extras)
        as_dict = {"menu_item_id": texts[6], "unit_price_cents": 10**7, "modifiers": [modifier]}
        bad = {**as_dict, "quantity": 0}
        wrong = {**as_dict, texts[7]: 1}
        given = [*texts, extras, modifier, item, as_dict, bad, wrong, item.modifiers]

        def use():
            cart.add([item, as_dict, item], op_id=texts[0])
            cart.apply([step.attribute(texts[1], texts[2]), step.set_quantity(texts[3], 5)])
            draft = Draft([item], attributes={texts[1]: texts[2]})
            cart.replace(draft, if_version=cart.get().version)
            for one in (bad, wrong, [item, bad], Item(texts[3], -1)):
                with self.assertRaises((TypeError, ValueError)):
                    cart.add(one)
            with self.assertRaises(CorralError):
                cart.add(item, op_id=texts[3], if_version=7)
            cart.get().items, cart.drop().order

        use()
        gc.collect()
        before = [sys.getrefcount(one) for one in given]
        for _ in range(20):
            use()
        gc.collect()
        self.assertEqual([sys.getrefcount(one) for one in given], before)

    def test_orders_are_pickled_copied_and_compared(self):
        cart = self.fresh()
        cart.add(Item("a", 5, extras={"k": [1]}), tax_ppm=5)
        order = cart.get()
        self.assertEqual(pickle.loads(pickle.dumps(order)), order)
        deep = copy.deepcopy(order)
        self.assertEqual(deep, order)
        deep.items[0].quantity = 3
        self.assertNotEqual(deep, order)
        with self.assertRaises(TypeError):
            hash(order)
        with self.assertRaises(TypeError):
            corral.Order()
        with self.assertRaises(AttributeError):
            order.total
        self.assertIn("total_cents=5", repr(order))
        error = pickle.loads(pickle.dumps(CorralError("ENOENT", 2, 3, "x")))
        self.assertEqual((error.code, error.errno, error.step), ("ENOENT", 2, 3))

    def test_what_is_decoded_later_is_not_put_over_what_was_set(self):
        cart = self.fresh()
        cart.add([burger(), COKE])
        order = cart.get()
        order.items = [COKE]
        order.tax_ppm = 5
        self.assertEqual((order.attributes, order.items, order.tax_ppm), ({}, [COKE], 5))

    def test_a_cycle_through_an_answer_is_collected(self):
        class Watched(Item):
            pass

        answer = self.fresh().add(COKE)
        watched = Watched("a", 1)
        answer.order.items.append(watched)
        watched.extras = {"answer": answer}
        seen = weakref.ref(watched)
        del answer, watched
        gc.collect()
        self.assertIsNone(seen())


if __name__ == "__main__":
    unittest.main()
