# SPDX-License-Identifier: LGPL-2.1-or-later
"""Waits of coroutines: the extension's one thread decides them, and tells the event loop by a
descriptor that the loop watches as long as there are some."""

from __future__ import annotations

import asyncio
import itertools
import math
import os
import weakref
from typing import Callable, Optional

from . import _corral

os.register_at_fork(after_in_child=_corral.after_fork)

_ids = itertools.count(1)


class _LoopWaits:
    def __init__(self) -> None:
        self.native = _corral.Waits()
        self.pending: dict[int, asyncio.Future[int]] = {}

    def ready(self) -> None:
        for id, error, version in self.native.take():
            future = self.pending.pop(id, None)
            if future is None or future.done():
                continue  # it was cancelled
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(version)


_loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _LoopWaits] = (
    weakref.WeakKeyDictionary()
)


def _waits_of(loop: asyncio.AbstractEventLoop) -> _LoopWaits:
    waits = _loops.get(loop)
    if waits is None:
        # waits that were left in a loop that is closed would keep it for ever
        for other in [other for other in _loops if other.is_closed()]:
            del _loops[other]
        waits = _loops[loop] = _LoopWaits()
    return waits


def timeout_ms(timeout: Optional[float]) -> int:
    """Seconds, or None, as the extension takes them."""
    if timeout is None:
        return -1
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)):
        raise TypeError(f"timeout: seconds or None are wanted, not {type(timeout).__name__}")
    if not 0 <= timeout <= 2_000_000:
        raise ValueError("timeout: the number is not from 0 to 2000000")
    return math.ceil(timeout * 1000)


async def decided(begin: Callable[[_corral.Waits, int], None]) -> int:
    """What becomes of a wait that `begin` begins under an id. Cancelling the task ends it."""
    loop = asyncio.get_running_loop()
    waits = _waits_of(loop)
    id = next(_ids)
    future: asyncio.Future[int] = loop.create_future()
    if not waits.pending:
        loop.add_reader(waits.native.fileno(), waits.ready)
    waits.pending[id] = future
    try:
        begin(waits.native, id)
        return await future
    finally:
        if waits.pending.pop(id, None) is not None:
            waits.native.cancel(id)
        if not waits.pending:
            loop.remove_reader(waits.native.fileno())


async def wait(
    store: _corral.Store,
    restaurant: Optional[str],
    session: Optional[str],
    after: int,
    timeout: Optional[float],
) -> int:
    """What Store.wait() does, for a coroutine."""
    limit = timeout_ms(timeout)
    return await decided(
        lambda native, id: native.begin(store, restaurant, session, after, limit, id)
    )
