# SPDX-License-Identifier: LGPL-2.1-or-later
"""An arena for tests: a directory and an agent of its own."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from typing import Iterator, Sequence

from ._agent import start_agent, stop_agent
from ._cart import Store, open


@contextlib.contextmanager
def fresh_arena(args: Sequence[str] = (), *, patience_ms: int = 20) -> Iterator[tuple[str, Store]]:
    """Make an arena; its directory and an open store. All of it ends with the block."""
    dir = tempfile.mkdtemp(prefix="corral-")
    try:
        start_agent(dir, args=["--max-carts", "4096", "--size", "64M", *args])
        with open(dir, patience_ms=patience_ms) as store:
            yield dir, store
    finally:
        stop_agent(dir)
        shutil.rmtree(dir, ignore_errors=True)
