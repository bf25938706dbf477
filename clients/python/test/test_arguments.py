# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is no argument is refused with the name of the field, and changes nothing."""

import enum
from decimal import Decimal
from fractions import Fraction

import corral
from corral import Adjustment, Draft, Item, Modifier, amount, money, rate, step
from kit import ArenaTest

HALF = "a\ud83c"


class Arguments(ArenaTest):
    def setUp(self):
        self.cart = self.fresh()
        self.cart.add(Item("kept", 1))

    def refuses(self, kind, field, call, *args, **options):
        before = self.cart.get().version
        with self.assertRaises(kind) as caught:
            call(*args, **options)
        self.assertIs(type(caught.exception), kind)
        self.assertTrue(str(caught.exception).startswith(f"{field}: "), caught.exception)
        self.assertEqual(self.cart.get().version, before)

    def test_money_is_an_int_of_minor_units(self):
        class Number:
            def __index__(self):
                return 899

            __int__ = __index__

        def add(price):
            return self.cart.add(Item("a", price))

        for value in (8.99, 899.0, float("nan"), True, False, "899", b"899", None, [], {}, 899j):
            self.refuses(TypeError, "unit_price_cents", add, value)
        for value in (Decimal("8.99"), Fraction(899), Number(), object(), Item, lambda: 899):
            self.refuses(TypeError, "unit_price_cents", add, value)
        for value in (-1, 2**63, -(2**63), 10**5000):
            self.refuses(ValueError, "unit_price_cents", add, value)

        class Price(enum.IntEnum):
            BURGER = 899

        self.assertEqual(add(Price.BURGER).order.items[1].unit_price_cents, 899)

    def test_the_exception_says_where_in_the_arguments_the_field_is(self):
        good, cart = Item("a", 1), self.cart
        self.refuses(ValueError, "items[1].quantity", cart.add, [good, Item("b", 1, quantity=0)])
        bad = Item("a", 1, modifiers=[Modifier("a", 0), Modifier("b", "1")])
        self.refuses(TypeError, "items[1].modifiers[1].price_cents", cart.add, [good, bad])
        self.refuses(
            TypeError, "steps[1].tax_ppm", cart.apply, [step.clear(), step.tax(1.5)]
        )
        self.refuses(
            TypeError, "extras.a.b[1]", cart.add, Item("a", 1, extras={"a": {"b": [1, {2}]}})
        )
        below = Draft([corral.Line("a", 1, line=-1)])
        self.refuses(ValueError, "items[0].line", cart.replace, below)
        self.refuses(
            TypeError, "adjustments[0].kind", cart.replace, Draft(adjustments=[Adjustment("a", 1)])
        )

    def test_a_field_that_is_not_known_is_refused(self):
        bad = {"menu_item_id": "a", "unit_price_cents": 1, "note": "nuts"}
        self.refuses(TypeError, "item", self.cart.add, bad)
        self.refuses(TypeError, "items[0].item", self.cart.add, [bad])
        self.refuses(TypeError, "item", self.cart.add, {**bad, "note": None})
        self.refuses(TypeError, "item", self.cart.add, {**bad, "notes": "x", 5: 6})
        with self.assertRaises(TypeError):
            Item("a", 1, note="nuts")
        with self.assertRaises(TypeError):
            self.cart.clear(opid="x")
        self.refuses(TypeError, "unit_price_cents", self.cart.add, {"menu_item_id": "a"})

    def test_half_a_surrogate_pair_is_refused_since_two_carts_would_be_one(self):
        cart = self.cart
        self.refuses(ValueError, "restaurant_id", self.store.cart(HALF, "s").get)
        self.refuses(ValueError, "session_id", self.store.cart("r", HALF).add, Item("a", 1))
        self.refuses(ValueError, "menu_item_id", cart.add, Item(HALF, 1))
        self.refuses(ValueError, "name", cart.add, Item("a", 1, name=HALF))
        self.refuses(ValueError, "notes", cart.add, Item("a", 1, notes=HALF))
        bad = Item("a", 1, modifiers=[Modifier(HALF, 1)])
        self.refuses(ValueError, "modifiers[0].name", cart.add, bad)
        self.refuses(ValueError, "extras", cart.add, Item("a", 1, extras={HALF: 1}))
        self.refuses(ValueError, "extras.a", cart.add, Item("a", 1, extras={"a": HALF}))
        self.refuses(ValueError, "op_id", cart.add, Item("a", 1), op_id=HALF)
        self.refuses(ValueError, "name", cart.attribute, HALF, "")
        self.refuses(ValueError, "value", cart.attribute, "a", HALF)
        self.refuses(ValueError, "label", self.store.label, HALF)
        self.refuses(ValueError, "restaurant_id", self.store.list, HALF)

    def test_a_nul_and_a_long_id_are_refused_by_the_library(self):
        with self.refused("EILSEQ", 1):
            self.cart.add(Item("a\0b", 1))
        with self.refused("ENAMETOOLONG"):
            self.store.cart("x" * 129, "s").get()
        with self.refused("ENAMETOOLONG"):
            self.store.cart("x" * 129, "s").changed(after=0, timeout=0)

    def test_lines_quantities_versions_and_empty_lists_are_checked(self):
        cart = self.cart
        self.refuses(ValueError, "line", cart.remove, 0)
        self.refuses(ValueError, "line", cart.remove, "")
        self.refuses(TypeError, "line", cart.remove, True)
        self.refuses(TypeError, "line", cart.remove, None)
        self.refuses(ValueError, "quantity", cart.set_quantity, 1, 1000000)
        self.refuses(TypeError, "difference", cart.change_quantity, 1, 0.5)
        self.refuses(ValueError, "if_version", cart.clear, if_version=-1)
        self.refuses(TypeError, "if_version", cart.clear, if_version="1")
        self.refuses(ValueError, "op_id", cart.clear, op_id="")
        self.refuses(TypeError, "op_id", cart.clear, op_id=5)
        self.refuses(ValueError, "patience_ms", cart.clear, patience_ms=3600001)
        self.refuses(ValueError, "items", cart.add, [])
        self.refuses(ValueError, "steps", cart.apply, [])
        self.refuses(TypeError, "steps", cart.apply, {})
        self.refuses(TypeError, "steps", cart.apply, (step.clear() for _ in range(3)))
        self.refuses(ValueError, "steps", cart.apply, [step.clear()] * 257)
        self.refuses(TypeError, "steps[0].step", cart.apply, ["clear"])
        self.refuses(ValueError, "steps[0].step", cart.apply, [(99,)])
        self.refuses(TypeError, "steps[0].step", cart.apply, [(1, 2, 3)])
        self.refuses(TypeError, "touch", cart.get, touch=0)
        self.refuses(TypeError, "item", cart.add, None)
        self.refuses(TypeError, "item", cart.add, "burger")
        self.refuses(ValueError, "restaurant_id", self.store.cart, "", "s")
        self.refuses(TypeError, "session_id", self.store.cart, "r", None)
        self.refuses(TypeError, "order", cart.replace, {"items": []})
        self.refuses(TypeError, "timeout", cart.changed, timeout="1")
        self.refuses(ValueError, "timeout", cart.changed, timeout=-1)
        self.refuses(TypeError, "after", cart.changed, after=1.5)
        self.refuses(TypeError, "patience_ms", corral.open, self.dir, patience_ms=1.5)
        self.refuses(TypeError, "read_only", corral.open, self.dir, read_only=1)

    def test_adjustments_have_either_cents_or_a_share(self):
        adjust = self.cart.adjust
        self.refuses(TypeError, "cents", adjust, Adjustment("a", "tip"))
        self.refuses(TypeError, "cents", adjust, Adjustment("a", "tip", cents=1, ppm=1))
        self.refuses(TypeError, "cents", adjust, Adjustment("a", "tip", cents=1.5))
        self.refuses(ValueError, "cents", adjust, Adjustment("a", "tip", cents=-1))
        self.refuses(ValueError, "ppm", adjust, Adjustment("a", "tip", ppm=1000001))
        self.refuses(ValueError, "kind", adjust, Adjustment("a", "gift", cents=1))
        self.refuses(TypeError, "after_tax", adjust, Adjustment("a", "fee", cents=1, after_tax=1))
        self.refuses(TypeError, "adjustment", adjust, None)

    def test_code_that_runs_in_the_middle_of_a_call_spoils_neither_change(self):
        cart = self.cart
        items = []

        class Sly(Item):
            @property
            def notes(self):
                items.clear()  # the very list that is being read
                cart.add(Item("inner", 5, name="Inner", notes="x" * 3000))
                return "outer's" * 400

            @notes.setter
            def notes(self, value):
                pass

        items += [Sly("outer", 7), Item("last", 9)]
        cart.add(items)
        self.assertEqual(
            [(line.menu_item_id, line.unit_price_cents) for line in cart.get().items],
            [("kept", 1), ("inner", 5), ("outer", 7), ("last", 9)],
        )

        class Closing(Item):
            @property
            def notes(self):
                store.close()
                return ""

            @notes.setter
            def notes(self, value):
                pass

        store = corral.open(self.dir)
        with self.refused("EBADF"):
            store.cart("r", "closing").add(Closing("a", 1))

    def test_money_amount_and_rate_round_nothing(self):
        self.assertEqual(money("8.99", "USD"), 899)
        self.assertEqual(money("8.9", "EUR"), 890)
        self.assertEqual(money("-8", "USD"), -800)
        self.assertEqual(money("500", "JPY"), 500)
        self.assertEqual(money("1.234", "KWD"), 1234)
        self.assertEqual(money(Decimal("8.990"), "USD"), 899)
        self.assertEqual(money(Decimal("5E+2"), "JPY"), 500)
        self.assertEqual(money(Decimal("0E-30"), "USD"), 0)
        self.assertEqual(money("92233720368547758.07", "USD"), 2**63 - 1)
        for bad in ("8.999", "", " 8", "8.", ".5", "1e3", "8,99", "+1", "0x10", "９", "8\n", "n"):
            with self.assertRaises(ValueError, msg=bad):
                money(bad, "USD")
        for bad in ("8.999", "NaN", "Infinity", "1E+30", "92233720368547758.08"):
            with self.assertRaises(ValueError, msg=bad):
                money(Decimal(bad), "USD")
        for currency in ("usd", "XYZ", "", "US\ud800"):
            with self.assertRaises(ValueError, msg=currency):
                money("1", currency)
        for bad in (8.99, 899, True, None):
            with self.assertRaises(TypeError, msg=bad):
                money(bad, "USD")
        with self.assertRaises(ValueError):
            money("1.5", "JPY")
        self.assertEqual(str(amount(899, "USD")), "8.99")
        self.assertEqual(str(amount(-5, "USD")), "-0.05")
        self.assertEqual(str(amount(500, "JPY")), "500")
        with self.assertRaises(TypeError):
            amount(8.99, "USD")
        self.assertEqual((rate("8.25%"), rate("0.0001%"), rate("100%")), (82500, 1, 1000000))
        for bad in ("8.25", "8.25 %", "100.0001%", "-1%", "0.00001%", "%"):
            with self.assertRaises(ValueError, msg=bad):
                rate(bad)
