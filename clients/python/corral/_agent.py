# SPDX-License-Identifier: LGPL-2.1-or-later
"""Start and end corral-agent, the one in this package or another. Nothing is taken from the
environment, nor passed on with it."""

from __future__ import annotations

import asyncio
import os
import subprocess
from typing import Optional, Sequence, Union

PathLike = Union[str, "os.PathLike[str]"]

agent_program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corral-agent")

_SAID_MAX = 4096
_ALREADY = 1  # another agent has the directory
_NONE_RUNS = 4


def _run(args: list[str], fine: int) -> None:
    # What the agent says goes to a file: it keeps its streams when it goes to the background, so a
    # pipe would not end.
    with open(os.memfd_create("corral-agent"), "w+b") as said:
        nothing: dict[str, str] = {}
        child = subprocess.run(
            args, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=nothing
        )
        said.seek(0)
        text = said.read()[-_SAID_MAX:].decode(errors="replace").strip()
    if child.returncode not in (0, fine):
        raise RuntimeError(f"{' '.join(args)}: {text or f'exit code {child.returncode}'}")


def _text(value: PathLike, field: str) -> str:
    text = os.fspath(value)
    if not isinstance(text, str) or text == "":
        raise TypeError(f"{field}: a path is wanted")
    return text


def start_agent(
    dir: PathLike, *, program: Optional[PathLike] = None, args: Sequence[str] = ()
) -> None:
    """Start an agent in the background, which outlives this process. Returns when it is ready, or
    when another one has the directory already. args: such as ['--journal', 'sync']."""
    if isinstance(args, str):
        raise TypeError("args: a list of str is wanted, not a str")
    program = agent_program if program is None else _text(program, "program")
    _run([program, "--dir", _text(dir, "dir"), "--daemon", *args], _ALREADY)


async def start_agent_async(
    dir: PathLike, *, program: Optional[PathLike] = None, args: Sequence[str] = ()
) -> None:
    """The same in a thread of asyncio's, so the event loop goes on."""
    await asyncio.to_thread(start_agent, dir, program=program, args=args)


def stop_agent(dir: PathLike, *, program: Optional[PathLike] = None) -> None:
    """End the agent of a directory; content if none runs. Carts stay."""
    program = agent_program if program is None else _text(program, "program")
    _run([program, "--dir", _text(dir, "dir"), "--stop"], _NONE_RUNS)
