"""Kills before any operation on files: Python tells of each one before it is carried out.

An audit hook (PEP 578) cannot be taken away again, so there is one for all simulations, which asks
the one that runs now.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
PATH_EVENTS = ("os.rename", "os.remove", "os.truncate", "os.mkdir", "os.link", "os.symlink")
"""Events of operations that change files or folders, all with the path as their first argument."""

Hook = Callable[[], None]
current: list[tuple[str, Hook]] = []
"""The folder that is watched now and what is called before each operation in it, if any."""


@cache
def add_hook() -> None:
    """Have Python tell of its operations, once for all."""
    sys.addaudithook(on_event)


@contextmanager
def before_each(folder: Path, call: Hook) -> Iterator[None]:
    """Have `call` called before each operation that changes a file in the folder; it may raise."""
    add_hook()
    current.append((str(folder), call))
    try:
        yield
    finally:
        current.pop()


def on_event(event: str, arguments: tuple[Any, ...]) -> None:
    """Take an audit event of Python."""
    if not current or not (event in PATH_EVENTS or event == "open"):
        return
    if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & WRITE_FLAGS):
        return
    folder, call = current[-1]
    path = arguments[0]
    # A relative path is a name in a folder that the project has open (`plain_files`).
    if isinstance(path, str | os.PathLike):
        text = os.fspath(path)
        if isinstance(text, str) and (not text.startswith("/") or text.startswith(folder)):
            call()
