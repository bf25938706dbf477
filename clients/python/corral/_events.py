# SPDX-License-Identifier: LGPL-2.1-or-later
"""What happens to carts, as it happens: an iterator, and an asynchronous one."""

from __future__ import annotations

import asyncio
import os
from types import TracebackType
from typing import Literal, Optional, Sequence, Union

from . import _corral, _waits
from ._errors import CorralError
from ._types import Event, EventKind, Gap

From = Union[Literal["now", "oldest"], int]

_KINDS = {"changed": 1, "checked_out": 2, "dropped": 4, "expired": 8}
_FROM = {"oldest": 0, "now": 2**64 - 1}
_IN_A_ROW = 64  # events, before other tasks have their turn
_SOON = 0.001  # seconds, until a wait that was cancelled has given its events back


def _mask(kinds: Optional[Sequence[EventKind]]) -> int:
    if kinds is None:
        return 0
    if not isinstance(kinds, (list, tuple)) or not kinds:
        raise TypeError("kinds: a list with something in it is wanted, or None")
    mask = 0
    for kind in kinds:
        if not isinstance(kind, str) or kind not in _KINDS:
            raise ValueError(f"kinds: {kind!r} is not one of {', '.join(_KINDS)}")
        mask |= _KINDS[kind]
    return mask


def _place(from_: From) -> int:
    if isinstance(from_, str) and from_ in _FROM:
        return _FROM[from_]
    if isinstance(from_, bool) or not isinstance(from_, int):
        raise TypeError('from_: an event\'s number, "now" or "oldest" is wanted')
    if not 0 < from_ < 2**63:
        raise ValueError("from_: the number is not from 1 to 2**63 - 1")
    return from_


class Events:
    """An iterator of Event and Gap, without end: `for event in events` blocks without the GIL, and
    a signal's handler that raises ends it; in a coroutine it is `async for event in events`, which
    cancelling the task ends. One thread or task at a time.

    Few events are read ahead. Others stay in the arena, which has room for some thousands; a reader
    that is too slow for it is told a Gap.
    """

    __slots__ = ("_native", "_turns", "_waiting", "_wait")

    def __init__(self, native: _corral.Events) -> None:
        self._native = native
        self._turns = 0
        self._waiting = 0  # the process, a task of which is in __anext__()
        self._wait: Optional[tuple[_corral.Waits, int]] = None

    @property
    def position(self) -> int:
        """The number of the next event: from_=position goes on there, also in another process."""
        return self._native.position

    def next(self, timeout: Optional[float] = None) -> Union[Event, Gap]:
        """The next one; a CorralTimeout, which is a TimeoutError, after `timeout` seconds."""
        return self._native.next(_waits.timeout_ms(timeout))

    def __iter__(self) -> Events:
        return self

    def __next__(self) -> Union[Event, Gap]:
        return self._native.next(-1)

    def __aiter__(self) -> Events:
        return self

    async def __anext__(self) -> Union[Event, Gap]:
        if self._waiting == os.getpid():  # another one, if this is a forked child
            raise RuntimeError("another task waits for these events")
        self._waiting = os.getpid()
        try:
            self._turns += 1
            if self._turns % _IN_A_ROW == 0:
                await asyncio.sleep(0)
            while True:
                while self._native.lent:
                    await asyncio.sleep(_SOON)
                event = self._native.take()
                if event is not None:
                    return event
                await self._until_there_is_one()
        finally:
            self._waiting = 0

    async def _until_there_is_one(self) -> None:
        def begin(waits: _corral.Waits, id: int) -> None:
            waits.begin_events(self._native, id)
            self._wait = (waits, id)

        try:
            await _waits.decided(begin)
        except CorralError as error:
            if error.code != "ECANCELED":  # they were closed, or the store: take() says so
                raise
        finally:
            self._wait = None

    def close(self) -> None:
        """Calls raise from now on (EBADF), also those that wait."""
        self._native.close()
        wait = self._wait
        if wait is not None:
            wait[0].cancel(wait[1])

    async def aclose(self) -> None:
        """The same, for contextlib.aclosing()."""
        self.close()

    def __enter__(self) -> Events:
        return self

    def __exit__(
        self,
        type: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()
