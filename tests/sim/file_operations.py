"""Every operation that changes files: Python tells of each one before it is carried out.

An audit hook (PEP 578) cannot be taken away again, so there is one for all simulations, which asks
the one that runs now.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
PATH_EVENTS = ("os.rename", "os.remove", "os.truncate", "os.mkdir", "os.link", "os.symlink")
"""Events of operations that change files or folders, all with the path as their first argument."""

COMPILED = "__pycache__"
"""The folder in which Python keeps what it imports: no business of the product's."""

Hook = Callable[[str], None]
current: list[Hook] = []
"""What is called now before each operation, with its path, if any."""


@cache
def add_hook() -> None:
    """Have Python tell of its operations, once for all."""
    sys.addaudithook(on_event)


@contextmanager
def before_each(call: Hook) -> Iterator[None]:
    """Have `call` called with the path before each operation that changes a file; it may raise."""
    add_hook()
    current.append(call)
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
    path = arguments[0]
    if isinstance(path, str | os.PathLike):
        text = os.fspath(path)
        if isinstance(text, str) and COMPILED not in text:
            current[-1](text)
