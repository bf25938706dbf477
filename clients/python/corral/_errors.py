# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the library refuses."""

from __future__ import annotations

from typing import Any, Optional


class CorralError(Exception):
    """The library refused a call. Nothing was changed.

    code is the error's name, such as 'ECANCELED', and errno its number, as in the module errno.
    step says which step of the change was refused, from 1; None: it was no single one.
    """

    code: str
    errno: int
    step: Optional[int]

    def __init__(self, code: str, errno: int, step: int, meaning: str) -> None:
        super().__init__(f"{code}: {f'step {step}: ' if step else ''}{meaning}")
        self.code = code
        self.errno = errno
        self.step = step or None
        self._given = (code, errno, step, meaning)

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), self._given)


class CorralTimeout(CorralError, TimeoutError):
    """The time is up. It is a TimeoutError, too."""

    errno: int

    def __str__(self) -> str:
        return Exception.__str__(self)
