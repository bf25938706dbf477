# SPDX-License-Identifier: LGPL-2.1-or-later
"""One cart, and an open arena."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Callable, Iterator, Optional, Sequence, Union

from . import _corral, _waits, step
from ._errors import CorralError
from ._events import Events, From, _mask, _place
from ._types import AdjustmentLike, Draft, EventKind, ItemLike, Order, Pricing, Row
from .step import LineRef, Step

_TRIES = 16
_READ_ONLY = 1
_CATCH_SIGBUS = 8
_USUAL = -1
_AGAIN = ("ECANCELED", "ENOENT")


def _text(value: object, field: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{field}: a str is wanted, not {type(value).__name__}")
    if value == "":
        raise ValueError(f"{field}: the str is empty")
    return value


def _parts(order: Union[Order, Draft]) -> tuple[object, ...]:
    if not isinstance(order, (Order, Draft)):
        raise TypeError(f"order: an Order or a Draft is wanted, not {type(order).__name__}")
    attributes = order.attributes
    return (
        order.tax_ppm,
        order.pricing,
        order.currency,
        order.adjustments,
        {} if attributes is None else attributes,
        order.items,
    )


class Cart:
    """One cart. Making this object changes nothing: the first item makes the cart.

    All changes take
    - op_id: an operation id, such as a model's tool call id, unique among the changes of a cart:
      the same change with an id that the cart remembers (its last 64) is not made again, and
      answers what it answered the first time (applied is False). Another change is refused
      (ENOTUNIQ).
    - if_version: change only this version, else ECANCELED. 0 or None: any.
    - patience_ms: how long to wait while another process changes this cart, in place of the
      store's; then EBUSY.

    They raise CorralError: ESHUTDOWN (checked out), ECANCELED (another version), ENOTUNIQ, EBUSY,
    ENOMEM, ENOSPC, ENOENT (no cart), ENXIO (no such line), EMLINK (several lines have this menu
    item) ...; TypeError and ValueError name the field that is wrong. A call that raises has changed
    nothing.
    """

    __slots__ = ("_native", "restaurant_id", "session_id")

    def __init__(self, native: _corral.Store, restaurant_id: str, session_id: str) -> None:
        self._native = native
        self.restaurant_id = _text(restaurant_id, "restaurant_id")
        self.session_id = _text(session_id, "session_id")

    def __repr__(self) -> str:
        return f"<corral.Cart {self.restaurant_id!r} {self.session_id!r}>"

    # ------------------------------------------------------------------------ changes

    def _one(
        self,
        one: Step,
        op_id: Optional[str],
        if_version: Optional[int],
        patience_ms: Optional[int],
    ) -> _corral.Answer:
        return self._native.apply(
            self.restaurant_id, self.session_id, None, (one,), op_id, if_version, patience_ms
        )

    def add(
        self,
        item: Union[ItemLike, Sequence[ItemLike]],
        *,
        tax_ppm: Optional[int] = None,
        op_id: Optional[str] = None,
        if_version: Optional[int] = None,
        patience_ms: Optional[int] = None,
    ) -> _corral.Answer:
        """Add an item, or a list of them as one change. tax_ppm also sets the tax rate."""
        place = None
        steps: Sequence[tuple[object, ...]]
        if isinstance(item, (list, tuple)):
            place = "items"
            if not item:
                raise ValueError("items: there is none")
            steps = [(1, one) for one in item]
        else:
            steps = ((1, item),)
        if tax_ppm is not None:
            steps = [*steps, (6, tax_ppm)]
        return self._native.apply(
            self.restaurant_id, self.session_id, place, steps, op_id, if_version, patience_ms
        )

    def apply(
        self,
        steps: Sequence[Step],
        *,
        op_id: Optional[str] = None,
        if_version: Optional[int] = None,
        patience_ms: Optional[int] = None,
    ) -> _corral.Answer:
        """Several steps as one change, 1 to 256: all or none, one version, one operation id."""
        return self._native.apply(
            self.restaurant_id, self.session_id, "steps", steps, op_id, if_version, patience_ms
        )

    def set_quantity(
        self,
        line: LineRef,
        quantity: int,
        *,
        op_id: Optional[str] = None,
        if_version: Optional[int] = None,
        patience_ms: Optional[int] = None,
    ) -> _corral.Answer:
        """Set a line's quantity; 0 removes it. line: its number, or its menu item's id."""
        return self._one(step.set_quantity(line, quantity), op_id, if_version, patience_ms)

    def change_quantity(
        self,
        line: LineRef,
        difference: int,
        *,
        op_id: Optional[str] = None,
        if_version: Optional[int] = None,
        patience_ms: Optional[int] = None,
    ) -> _corral.Answer:
        """So many more, or less; the line is removed when nothing is left."""
        return self._one(step.change_quantity(line, difference), op_id, if_version, patience_ms)

    def remove(
        self,
        line: LineRef,
        *,
        op_id: Optional[str] = None,
        if_version: Optional[int] = None,
        patience_ms: Optional[int] = None,
    ) -> _corral.Answer:
        """Remove a line."""
        return self._one(step.remove(line), op_id, if_version, patience_ms)

    def clear(
        self,
        *,
        op_id: Optional[str] = None,
        if_version: Optional[int] = None,
        patience_ms: Optional[int] = None,
    ) -> _corral.Answer:
        """Remove all lines and adjustments."""
        return self._one(step.clear(), op_id, if_version, patience_ms)

    def tax(
        self,
        tax_ppm: int,
        *,
        op_id: Optional[str] = None,
        if_version: Optional[int] = None,
        patience_ms: Optional[int] = None,
    ) -> _corral.Answer:
        """Set the tax rate: rate('8.25%') makes one."""
        return self._one(step.tax(tax_ppm), op_id, if_version, patience_ms)

    def attribute(
        self,
        name: str,
        value: Optional[str],
        *,
        op_id: Optional[str] = None,
        if_version: Optional[int] = None,
        patience_ms: Optional[int] = None,
    ) -> _corral.Answer:
        """Set an attribute; None takes it away."""
        return self._one(step.attribute(name, value), op_id, if_version, patience_ms)

    def ttl(
        self,
        ttl_ms: int,
        *,
        op_id: Optional[str] = None,
        if_version: Optional[int] = None,
        patience_ms: Optional[int] = None,
    ) -> _corral.Answer:
        """How long the cart lives without activity; 0: what the arena says."""
        return self._one(step.ttl(ttl_ms), op_id, if_version, patience_ms)

    def adjust(
        self,
        adjustment: AdjustmentLike,
        *,
        op_id: Optional[str] = None,
        if_version: Optional[int] = None,
        patience_ms: Optional[int] = None,
    ) -> _corral.Answer:
        """Set an adjustment: a discount, fee, tip or service charge."""
        return self._one(step.adjust(adjustment), op_id, if_version, patience_ms)

    def remove_adjustment(
        self,
        name: str,
        *,
        op_id: Optional[str] = None,
        if_version: Optional[int] = None,
        patience_ms: Optional[int] = None,
    ) -> _corral.Answer:
        """Take an adjustment away."""
        return self._one(step.remove_adjustment(name), op_id, if_version, patience_ms)

    def pricing(
        self,
        pricing: Union[Pricing, int],
        *,
        op_id: Optional[str] = None,
        if_version: Optional[int] = None,
        patience_ms: Optional[int] = None,
    ) -> _corral.Answer:
        """Say how prices are meant, several of Pricing: all that hold from then on."""
        return self._one(step.pricing(pricing), op_id, if_version, patience_ms)

    def currency(
        self,
        currency: str,
        *,
        op_id: Optional[str] = None,
        if_version: Optional[int] = None,
        patience_ms: Optional[int] = None,
    ) -> _corral.Answer:
        """Set the currency; ENOTEMPTY if the cart has another, and lines or adjustments."""
        return self._one(step.currency(currency), op_id, if_version, patience_ms)

    def checkout(
        self,
        *,
        op_id: Optional[str] = None,
        if_version: Optional[int] = None,
        patience_ms: Optional[int] = None,
    ) -> _corral.Answer:
        """From now on it can only be read and dropped. if_version: the one the customer heard."""
        return self._one(step.checkout(), op_id, if_version, patience_ms)

    def drop(
        self,
        *,
        op_id: Optional[str] = None,
        if_version: Optional[int] = None,
        patience_ms: Optional[int] = None,
    ) -> _corral.Answer:
        """End the cart now. A second drop finds none: ENOENT."""
        return self._native.drop(
            self.restaurant_id, self.session_id, op_id, if_version, patience_ms
        )

    def replace(
        self,
        order: Union[Order, Draft],
        *,
        op_id: Optional[str] = None,
        if_version: Optional[int] = None,
        patience_ms: Optional[int] = None,
    ) -> _corral.Answer:
        """Put another order in its place if the cart has this version still; 0 or None: if there
        is no cart. A line keeps its number; an Item, which has none, gets a new one."""
        return self._native.replace(
            self.restaurant_id, self.session_id, _parts(order), op_id, if_version, patience_ms
        )

    def update(
        self,
        change: Callable[[Optional[Order]], Union[Order, Draft, None]],
        *,
        op_id: Optional[str] = None,
        tries: int = _TRIES,
    ) -> Optional[_corral.Answer]:
        """Read, change, and put back, again if another change came between.

        The function may change the order that it is given, and return it; None: leave the cart as
        it is. It may be called several times.
        """
        if isinstance(tries, bool) or not isinstance(tries, int):
            raise TypeError(f"tries: an int is wanted, not {type(tries).__name__}")
        if tries < 1:
            raise ValueError("tries: 1 at least")
        while True:
            order = self.get()
            version = 0 if order is None else order.version
            changed = change(order)
            if changed is None:
                return None
            try:
                return self.replace(changed, op_id=op_id, if_version=version)
            except CorralError as error:
                tries -= 1
                if tries == 0 or error.code not in _AGAIN:
                    raise

    # -------------------------------------------------------------------------- reads

    def get(self, *, touch: bool = True) -> Optional[Order]:
        """The cart, or None if there is none. Counts as activity, which keeps the cart alive,
        unless touch is False."""
        return self._native.get(self.restaurant_id, self.session_id, touch)

    def _after(self, after: Optional[int]) -> int:
        if after is None:
            return self._native.version(self.restaurant_id, self.session_id)
        return after

    def changed(self, *, after: Optional[int] = None, timeout: Optional[float] = None) -> int:
        """Wait until the cart's version is greater than `after`, by default the one that it has
        now; 0: until there is a cart at all. The new version.

        Other threads go on meanwhile, and a signal's handler that raises (KeyboardInterrupt) ends
        the wait. ENOENT if the cart ends; CorralTimeout, a TimeoutError, after `timeout` seconds.
        """
        return self._native.wait(
            self.restaurant_id, self.session_id, self._after(after), _waits.timeout_ms(timeout)
        )

    async def changed_async(
        self, *, after: Optional[int] = None, timeout: Optional[float] = None
    ) -> int:
        """The same as a coroutine."""
        return await _waits.wait(
            self._native, self.restaurant_id, self.session_id, self._after(after), timeout
        )


class Store:
    """An open arena. All stores of a process on one arena share one attachment."""

    __slots__ = ("_native", "__weakref__")

    def __init__(self, native: _corral.Store) -> None:
        self._native = native

    def cart(self, restaurant_id: str, session_id: str) -> Cart:
        """The cart of a restaurant and a session, each 1 to 128 bytes of UTF-8."""
        return Cart(self._native, restaurant_id, session_id)

    def list(self, restaurant_id: Optional[str] = None) -> Iterator[Row]:
        """The carts, of one restaurant or of all, without order. One that exists all the while
        comes exactly once; one that is made or ends meanwhile may come or not. Does not count as
        activity."""
        return self._native.list(restaurant_id)

    def events(
        self,
        restaurant_id: Optional[str] = None,
        session_id: Optional[str] = None,
        *,
        kinds: Optional[Sequence[EventKind]] = None,
        from_: From = "now",
    ) -> Events:
        """Each change of a cart and each end, of one restaurant, of one cart, or all, in order;
        the events of a cart in the order of its versions. kinds: only these.

        from_: "now"; "oldest", which is there; or an event's number: 1 more than that of the last
        one that was read goes on behind it. EOPNOTSUPP: the agent was told --feed off, or the carts
        are on servers.
        """
        return Events(
            _corral.Events(self._native, restaurant_id, session_id, _mask(kinds), _place(from_))
        )

    def stats(self) -> dict[str, int]:
        """The counters, sizes and states that `corral status` tells, by name."""
        return self._native.stats()

    def label(self, label: str) -> None:
        """What tools and logs call this process, instead of "python3"; at most 39 bytes."""
        self._native.label(label)

    def sync(self, *, timeout: Optional[float] = None) -> None:
        """Wait until all that this process has changed is on disk. Many calls share one sync.

        EOPNOTSUPP: the agent keeps no journal; ENOTCONN: no agent runs; EIO, ENOSPC ...: what was
        changed stays, but would not outlive a power loss.
        """
        self._native.wait(None, None, 0, _waits.timeout_ms(timeout))

    async def sync_async(self, *, timeout: Optional[float] = None) -> None:
        """The same as a coroutine."""
        await _waits.wait(self._native, None, None, 0, timeout)

    @property
    def closed(self) -> bool:
        return self._native.closed

    def close(self) -> None:
        """Calls on the store and its carts raise from now on (EBADF), and waits end (ECANCELED).
        What was changed stays."""
        self._native.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        type: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()


def open(
    dir: Union[str, os.PathLike[str], None] = None,
    *,
    label: Optional[str] = None,
    patience_ms: Optional[int] = None,
    read_only: bool = False,
    catch_sigbus: bool = False,
) -> Store:
    """Attach to an arena that an agent has made: its directory, or $CORRAL_DIR, or the user's; or
    to carts on servers ("redis+cluster://...", corral-redis(7)), where calls let the GIL go.

    patience_ms: how long a change blocks while another process changes the same cart; then EBUSY.
    20 if it is not said; on servers 6000, which also is how long to wait for one that fails.
    read_only: refuse changes; works on a read-only mount, too.
    catch_sigbus: raise ESTALE if the arena's file is cut off under us, instead of dying of SIGBUS.
    """
    if patience_ms is None:
        patience_ms = _USUAL
    elif isinstance(patience_ms, bool) or not isinstance(patience_ms, int):
        raise TypeError(f"patience_ms: an int is wanted, not {type(patience_ms).__name__}")
    elif not 0 <= patience_ms <= 3_600_000:
        raise ValueError("patience_ms: the number is not from 0 to 3600000")
    for field, value in (("read_only", read_only), ("catch_sigbus", catch_sigbus)):
        if not isinstance(value, bool):
            raise TypeError(f"{field}: True or False is wanted, not {type(value).__name__}")
    location = None if dir is None else os.fsencode(_text(os.fspath(dir), "dir"))
    flags = _READ_ONLY * read_only | _CATCH_SIGBUS * catch_sigbus
    store = Store(_corral.Store(location, flags, patience_ms))
    if label is not None:
        try:
            store.label(label)
        except BaseException:
            store.close()
            raise
    return store
