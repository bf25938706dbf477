# SPDX-License-Identifier: LGPL-2.1-or-later
"""For mypy only: each line that ends in "wrong" is refused, and no other."""

from decimal import Decimal
from typing import Optional

import corral
from corral import Adjustment, Draft, Item, ItemDict, Order, Pricing, step


async def right(store: corral.Store) -> None:
    cart = store.cart("luigi", "call-1")
    item: ItemDict = {"menu_item_id": "coke", "unit_price_cents": 250}
    answer = cart.add([Item("burger", corral.money("8.99", "USD")), item], op_id="x")
    total: int = answer.total_cents
    order: Optional[Order] = cart.get()
    if order is not None:
        names: list[str] = [line.name for line in order.items]
        order.items[0].quantity = len(names) + total
        cart.replace(order, if_version=order.version)
    cart.apply([step.remove("coke"), step.remove(1), step.pricing(Pricing.TAX_INSIDE)])
    cart.adjust(Adjustment("tip", "tip", cents=100))
    cart.update(lambda order: Draft([item], attributes={"table": "7"}))
    version: int = await cart.changed_async(timeout=1.5)
    async for event in store.events("luigi", kinds=["changed", "dropped"], from_=version):
        if event.kind == "gap":
            print(event.missed)
        else:
            print(event.total_cents, event.steps[0].amount)
    price: Decimal = corral.amount(version, "USD")
    print(price, [row.total_cents for row in store.list()])


def wrong(store: corral.Store, cart: corral.Cart) -> None:
    cart.add(Item("burger", 8.99))  # wrong
    cart.add(Item("burger", "899"))  # wrong
    cart.add(Item("burger", 899, note="nuts"))  # wrong
    cart.add({"menu_item_id": "coke"})  # wrong
    cart.clear(opid="x")  # wrong
    cart.remove(1.5)  # wrong
    cart.adjust(Adjustment("gift", "gift", cents=1))  # wrong
    cart.get().items  # wrong
    cart.add(Item("coke", 250)).total_cents = 5  # wrong
    corral.money(8.99, "USD")  # wrong
    store.events(kinds=["gone"])  # wrong
    store.events(from_="then")  # wrong
    store.events().next().total_cents  # wrong
