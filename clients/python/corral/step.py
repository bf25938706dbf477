# SPDX-License-Identifier: LGPL-2.1-or-later
"""The steps of Cart.apply(): several of them are one change, all or none. What they are given is
checked when they are applied."""

from __future__ import annotations

from typing import Any, Optional, Union

from ._types import AdjustmentLike, ItemLike

# A line: its number, or the id of the menu item that exactly one line has.
LineRef = Union[int, str]


class Step(tuple[Any, ...]):
    """What the functions below make."""

    __slots__ = ()


def add(item: ItemLike) -> Step:
    """Add an item; to an equal line, if there is one."""
    return Step((1, item))


def set_quantity(line: LineRef, quantity: int) -> Step:
    """0 removes the line."""
    return Step((2, line, quantity))


def change_quantity(line: LineRef, difference: int) -> Step:
    """So many more, or less; the line is removed when nothing is left."""
    return Step((3, line, difference))


def remove(line: LineRef) -> Step:
    return Step((4, line))


def clear() -> Step:
    """Remove all lines and adjustments."""
    return Step((5,))


def tax(tax_ppm: int) -> Step:
    """Set the tax rate: rate('8.25%') makes one."""
    return Step((6, tax_ppm))


def attribute(name: str, value: Optional[str]) -> Step:
    """Set an attribute; None takes it away."""
    return Step((7, name, value))


def ttl(ttl_ms: int) -> Step:
    """How long the cart lives without activity; 0: what the arena says."""
    return Step((8, ttl_ms))


def checkout() -> Step:
    """From then on it can only be read and dropped."""
    return Step((9,))


def adjust(adjustment: AdjustmentLike) -> Step:
    """Set an adjustment: a discount, fee, tip or service charge."""
    return Step((10, adjustment))


def remove_adjustment(name: str) -> Step:
    return Step((11, name))


def pricing(pricing: int) -> Step:
    """Say how prices are meant, several of Pricing: all that hold from then on."""
    return Step((12, pricing))


def currency(currency: str) -> Step:
    """Set the currency; ENOTEMPTY if the cart has another, and lines or adjustments."""
    return Step((13, currency))


def line_tax(line: LineRef, tax_ppm: Optional[int]) -> Step:
    """Tax a line at a rate of its own; None: at the cart's rate again."""
    return Step((14, line, tax_ppm))
