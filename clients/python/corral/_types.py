# SPDX-License-Identifier: LGPL-2.1-or-later
"""The objects of orders. The extension fills them in; Item, Modifier and Adjustment are also what
the calls take, as are dicts with the same keys."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Mapping, Optional, Sequence, TypedDict, Union

if TYPE_CHECKING:
    from . import _corral

Status = Literal["open", "checked_out"]
Kind = Literal["discount", "fee", "tip", "service"]


class RawExtra:
    """A value of MessagePack that Python has nothing for (an extension type ...), as it came."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = bytes(data)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RawExtra) and other.data == self.data

    def __hash__(self) -> int:
        return hash(self.data)

    def __repr__(self) -> str:
        return f"RawExtra({self.data!r})"


# A value that is kept with an item: what JSON has, bytes, and RawExtra.
Extra = Any


@dataclass(slots=True)
class Modifier:
    """What is changed on an item, and what that costs for one unit; it may be negative."""

    name: str
    price_cents: int


@dataclass(slots=True)
class Item:
    """What is ordered. Money is in minor units, as ints: money('8.99', 'USD') makes one."""

    menu_item_id: str
    unit_price_cents: int
    name: str = ""
    notes: str = ""
    quantity: int = 1
    modifiers: Sequence[Modifier | ModifierDict] = ()
    extras: Optional[dict[str, Extra]] = None  # further keys, at most 64, kept as they are
    separate: bool = False  # always a line of its own; else an equal line's quantity is raised
    tax_ppm: Optional[int] = None  # its own tax rate; None: the cart's


@dataclass(slots=True)
class Line(Item):
    """A line of an order."""

    modifiers: list[Modifier] = field(default_factory=list)
    line: int = 0  # its number, which it keeps as long as the cart lives
    modifiers_cents: int = 0  # the sum of the modifiers' prices, for one unit
    total_cents: int = 0  # quantity * (unit_price_cents + modifiers_cents)


@dataclass(slots=True)
class Adjustment:
    """What is added to an order, or taken off it, besides its lines. A cart has one of a name."""

    name: str
    kind: Kind
    cents: Optional[int] = None  # the amount, 0 or more; or ppm
    ppm: Optional[int] = None  # parts per million of the subtotal
    after_tax: bool = False  # True: it is not taxed
    amount_cents: int = 0  # computed: what it adds to the total, negative for a discount


@dataclass(slots=True)
class Rate:
    """What is taxed at one rate."""

    tax_ppm: int
    base_cents: int  # without the tax
    tax_cents: int


class Pricing(enum.IntFlag):
    """How a cart's prices are meant. 0: tax is added to them."""

    TAX_INSIDE = 1  # prices have the tax in them
    HALF_EVEN = 2  # half a cent is rounded to the even one, else away from zero
    BELOW_ZERO = 4  # the total may be below zero; else such a change is refused (EDOM)


class ModifierDict(TypedDict):
    name: str
    price_cents: int


class _ItemNeeds(TypedDict):
    menu_item_id: str
    unit_price_cents: int


class ItemDict(_ItemNeeds, total=False):
    """An item as JSON has it."""

    name: Optional[str]
    notes: Optional[str]
    quantity: Optional[int]
    modifiers: Optional[Sequence[Modifier | ModifierDict]]
    extras: Optional[dict[str, Extra]]
    separate: Optional[bool]
    tax_ppm: Optional[int]
    line: Optional[int]  # of a line; looked at by replace() only
    modifiers_cents: Optional[int]  # not looked at
    total_cents: Optional[int]  # not looked at


class _AdjustmentNeeds(TypedDict):
    name: str
    kind: Kind


class AdjustmentDict(_AdjustmentNeeds, total=False):
    cents: Optional[int]
    ppm: Optional[int]
    after_tax: Optional[bool]
    amount_cents: Optional[int]  # not looked at


ItemLike = Union[Item, ItemDict]
AdjustmentLike = Union[Adjustment, AdjustmentDict]


@dataclass(slots=True)
class Draft:
    """All of an order that is not computed: what replace() puts in an order's place."""

    items: Sequence[ItemLike] = ()
    tax_ppm: int = 0
    adjustments: Sequence[AdjustmentLike] = ()
    pricing: int = Pricing(0)
    currency: str = ""  # "": it stays
    attributes: Optional[Mapping[str, str]] = None


@dataclass(slots=True)
class Row:
    """A row of a list. Times are milliseconds since 1970."""

    restaurant_id: str
    session_id: str
    version: int
    status: Status
    item_count: int
    line_count: int
    subtotal_cents: int
    tax_ppm: int
    tax_cents: int
    total_cents: int
    before_tax_cents: int
    after_tax_cents: int
    currency: str
    currency_digits: int
    ttl_ms: int
    created_ms: int
    updated_ms: int
    expires_ms: int


EventKind = Literal["changed", "checked_out", "dropped", "expired"]


@dataclass(slots=True)
class EventStep:
    """What one step of a change did."""

    step: str  # "add", "remove" ...: as the functions of corral.step; "replace" or "restore"
    line: int  # the line that it added to, set or removed; else 0
    amount: int  # quantity, difference, tax_ppm, ttl_ms, or an adjustment's cents or ppm; else 0


@dataclass(slots=True)
class Event:
    """A change of a cart, or its end; with the cart's numbers after it."""

    kind: EventKind
    number: int  # greater than those of all events before it
    restaurant_id: str
    session_id: str
    version: int
    status: Status
    time_ms: int  # since 1970
    item_count: int
    line_count: int
    subtotal_cents: int
    tax_cents: int
    total_cents: int
    currency: str
    currency_digits: int
    op_id: str  # "": the change had none
    pid: int  # of the process that made it, as that sees it
    label: str  # of that process, or its program's name
    step_count: int
    steps: list[EventStep]  # the first ones


@dataclass(slots=True)
class Gap:
    """Events were missed: those with the numbers from_ to `to`, or, if these are its own number,
    some that had no numbers yet. To go on, look at the carts: store.list(), cart.get()."""

    kind: Literal["gap"]
    number: int
    from_: int
    to: int
    missed: Optional[int]  # how many; None: it is not known
    time_ms: int


_NUMBERS = tuple(Row.__dataclass_fields__)
_PARTS = ("items", "adjustments", "attributes", "rates", "pricing")


class Order:
    """A cart as it was at one moment: a copy, yours to change.

    Its numbers are there at once; items, adjustments, attributes, rates and pricing are decoded
    when they are first looked at. Times are milliseconds since 1970.
    """

    __slots__ = ("_copy", *_NUMBERS, *_PARTS)

    restaurant_id: str
    session_id: str
    version: int  # grows with each change; names one content for ever
    status: Status
    item_count: int  # the sum of the lines' quantities
    line_count: int
    subtotal_cents: int
    tax_ppm: int
    tax_cents: int
    total_cents: int
    before_tax_cents: int  # the sums of the adjustments before and after tax
    after_tax_cents: int
    currency: str  # a code of ISO 4217; "": none was said
    currency_digits: int  # of its minor unit
    ttl_ms: int  # how long it lives without activity
    created_ms: int
    updated_ms: int
    expires_ms: int  # when it ends if nothing else happens
    items: list[Line]
    adjustments: list[Adjustment]
    attributes: dict[str, str]
    rates: list[Rate]  # by rate, the lowest first
    pricing: Pricing
    _copy: _corral.Copy

    def __init__(self) -> None:
        raise TypeError("orders come from the store; to make one use Draft")

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            # A slot that is not set yet. (Of an object that has no copy: no such attribute.)
            if name not in _PARTS:
                raise AttributeError(f"an Order has no {name!r}")
            value = getattr(self._copy, name)()
            if name == "pricing":
                value = Pricing(value)
            setattr(self, name, value)
            return value

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in (*_NUMBERS, *_PARTS)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)

    def __reduce__(self) -> tuple[Any, ...]:
        return (Order.__new__, (Order,), self.__getstate__())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Order) and self.__getstate__() == other.__getstate__()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return (
            f"<corral.Order {self.restaurant_id!r} {self.session_id!r} version={self.version}"
            f" {self.status} item_count={self.item_count} total_cents={self.total_cents}>"
        )
