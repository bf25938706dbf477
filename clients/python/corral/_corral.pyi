# SPDX-License-Identifier: LGPL-2.1-or-later
# What the extension has. All but Answer is for the package's own use.
from typing import Any, Iterator, Optional, Sequence, Union

from ._types import Event, Gap, Order, Row, Status

version: str

class Answer:
    """What a change answers."""

    @property
    def version(self) -> int: ...
    @property
    def subtotal_cents(self) -> int: ...
    @property
    def tax_cents(self) -> int: ...
    @property
    def total_cents(self) -> int: ...
    @property
    def before_tax_cents(self) -> int:
        """The sum of the adjustments before tax; 0 in the answer to a repeat."""
    @property
    def after_tax_cents(self) -> int: ...
    @property
    def item_count(self) -> int: ...
    @property
    def line(self) -> int:
        """The line that was added to, set or removed; of several the last one; else 0."""
    @property
    def lines(self) -> tuple[int, ...]:
        """The same for each step, or each item of a list."""
    @property
    def applied(self) -> bool:
        """False: an earlier call with this operation id made the change: its numbers."""
    @property
    def status(self) -> Status: ...
    @property
    def durable(self) -> bool:
        """It is on disk already; else sync() waits until it is."""
    @property
    def order(self) -> Optional[Order]:
        """The order as this change left it (of a repeat: as it is now; of a drop: its last
        version). None if there was no copy of it to be had."""

class Copy:
    def items(self) -> list[Any]: ...
    def adjustments(self) -> list[Any]: ...
    def attributes(self) -> dict[str, str]: ...
    def rates(self) -> list[Any]: ...
    def pricing(self) -> int: ...

class Listing(Iterator[Row]):
    def __next__(self) -> Row: ...

class Store:
    def __new__(cls, location: Optional[bytes], flags: int, patience_ms: int) -> Store: ...
    @property
    def closed(self) -> bool: ...
    def close(self) -> None: ...
    def apply(
        self,
        restaurant: str,
        session: str,
        place: Optional[str],
        steps: Sequence[Any],
        op_id: Optional[str],
        if_version: Optional[int],
        patience_ms: Optional[int],
        /,
    ) -> Answer: ...
    def replace(
        self,
        restaurant: str,
        session: str,
        draft: tuple[Any, ...],
        op_id: Optional[str],
        if_version: Optional[int],
        patience_ms: Optional[int],
        /,
    ) -> Answer: ...
    def drop(
        self,
        restaurant: str,
        session: str,
        op_id: Optional[str],
        if_version: Optional[int],
        patience_ms: Optional[int],
        /,
    ) -> Answer: ...
    def get(self, restaurant: str, session: str, touch: bool, /) -> Optional[Order]: ...
    def version(self, restaurant: str, session: str, /) -> int: ...
    def wait(
        self,
        restaurant: Optional[str],
        session: Optional[str],
        after: int,
        timeout_ms: int,
        /,
    ) -> int: ...
    def list(self, restaurant: Optional[str], /) -> Listing: ...
    def stats(self) -> dict[str, int]: ...
    def label(self, text: str, /) -> None: ...

class Waits:
    def begin(
        self,
        store: Store,
        restaurant: Optional[str],
        session: Optional[str],
        after: int,
        timeout_ms: int,
        id: int,
        /,
    ) -> None: ...
    def begin_events(self, events: Events, id: int, /) -> None: ...
    def cancel(self, id: int, /) -> None: ...
    def take(self) -> list[tuple[int, Optional[Exception], int]]: ...
    def fileno(self) -> int: ...

class Events:
    def __new__(
        cls,
        store: Store,
        restaurant: Optional[str],
        session: Optional[str],
        kinds: int,
        from_: int,
        /,
    ) -> Events: ...
    @property
    def position(self) -> int: ...
    @property
    def lent(self) -> bool: ...
    def take(self) -> Union[Event, Gap, None]: ...
    def next(self, timeout_ms: int, /) -> Union[Event, Gap]: ...
    def close(self) -> None: ...

def setup(*given: Any) -> None: ...
def currency_digits(code: str, /) -> Optional[int]: ...
def after_fork() -> None: ...
