# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the restaurant sells. Prices are the server's: the model never names one."""

from typing import Any

from corral import Item, Modifier, money, rate

TAX_PPM = rate("8.25%")


def usd(amount: str) -> int:
    return money(amount, "USD")


ITEMS: dict[str, tuple[str, int, dict[str, int]]] = {
    "burger": ("Burger", usd("8.99"), {"bacon": usd("1.50"), "cheese": usd("0.80")}),
    "fries": ("Fries", usd("3.49"), {"large": usd("1.00")}),
    "coke": ("Coke", usd("2.50"), {"no ice": 0}),
}


def to_item(said: dict[str, Any]) -> Item:
    """What the model has understood, as an item of the cart."""
    id = said["id"]
    if id not in ITEMS:
        raise ValueError(f"there is no {id} on the menu")
    name, price, costs = ITEMS[id]
    modifiers = []
    for wish in said.get("modifiers", ()):
        if wish not in costs:
            raise ValueError(f"{id} has no {wish}")
        modifiers.append(Modifier(wish, costs[wish]))
    notes, quantity = said.get("notes", ""), said.get("quantity", 1)
    return Item(id, price, name=name, notes=notes, quantity=quantity, modifiers=modifiers)
