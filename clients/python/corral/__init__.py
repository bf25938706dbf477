# SPDX-License-Identifier: LGPL-2.1-or-later
"""Corral keeps the open carts of a restaurant's voice-ordering service in memory that all worker
processes of a machine share. A cart outlives each of them.

Calls that need only memory answer at once: reads take no lock, and a change waits for another
process's change of the same cart for at most the store's patience. What waits (for the disk, for a
change of another process) blocks, or is a coroutine.

Money is in minor units (cents) as ints. Nothing is rounded on the way: 8.99, "899" and True are
refused with a TypeError that names the field. A call that raises has changed nothing.
"""

from . import _corral, _msgpack, step
from ._agent import agent_program, start_agent, start_agent_async, stop_agent
from ._corral import Answer
from ._errors import CorralError, CorralTimeout
from ._types import (
    Adjustment,
    AdjustmentDict,
    Draft,
    Event,
    EventKind,
    EventStep,
    Gap,
    Item,
    ItemDict,
    Line,
    Modifier,
    ModifierDict,
    Order,
    Pricing,
    Rate,
    RawExtra,
    Row,
)

_corral.setup(
    CorralError,
    CorralTimeout,
    Item,
    Line,
    Modifier,
    Adjustment,
    Rate,
    Order,
    Row,
    Event,
    EventStep,
    Gap,
    _msgpack.encode,
    _msgpack.decode,
)

from ._cart import Cart, Store, open  # noqa: E402
from ._events import Events  # noqa: E402
from ._money import amount, money, rate  # noqa: E402

version: str = _corral.version

__all__ = [
    "Adjustment",
    "AdjustmentDict",
    "Answer",
    "Cart",
    "CorralError",
    "CorralTimeout",
    "Draft",
    "Event",
    "EventKind",
    "EventStep",
    "Events",
    "Gap",
    "Item",
    "ItemDict",
    "Line",
    "Modifier",
    "ModifierDict",
    "Order",
    "Pricing",
    "Rate",
    "RawExtra",
    "Row",
    "Store",
    "agent_program",
    "amount",
    "money",
    "open",
    "rate",
    "start_agent",
    "start_agent_async",
    "step",
    "stop_agent",
    "version",
]
