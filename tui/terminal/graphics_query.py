"""Asks the terminal which pictures it can draw, by its own protocols and with a time limit.

Sources: kitty's graphics protocol, "Querying support"; xterm's control sequences, DA1 (4 stands for
sixel) and XTVERSION.
"""

from __future__ import annotations

import os
import re
import select
import termios
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

ANSWER_SECONDS = 1.0
"""Seconds that the terminal gets to answer: every one answers the last question, so that only a
slow line takes so long."""
KITTY_QUERY = b"\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\"
NAME_QUERY = b"\x1b[>0q"
ATTRIBUTES_QUERY = b"\x1b[c"
KITTY_ANSWER = re.compile(rb"\x1b_Gi=31;OK\x1b\\")
NAME_ANSWER = re.compile(rb"\x1bP>\|([^\x1b]{1,60})\x1b\\")
ATTRIBUTES_ANSWER = re.compile(rb"\x1b\[\?([0-9;]*)c")
SIXEL = b"4"
"""The attribute of a terminal that draws sixel pictures."""


@dataclass(frozen=True)
class TerminalAnswer:
    """What a terminal said of itself."""

    kitty: bool = False
    sixel: bool = False
    name: str = ""
    """Its name and version; empty if it did not say."""


def parse_answer(data: bytes) -> TerminalAnswer:
    """Return what the bytes that a terminal sent say; what is no answer is passed over."""
    name = NAME_ANSWER.search(data)
    attributes = ATTRIBUTES_ANSWER.search(data)
    return TerminalAnswer(
        kitty=KITTY_ANSWER.search(data) is not None,
        sixel=attributes is not None and SIXEL in attributes[1].split(b";"),
        name=name[1].decode(errors="replace") if name else "",
    )


def ask_terminal(seconds: float = ANSWER_SECONDS) -> TerminalAnswer:
    """Ask the terminal of this process what it can draw. Without one, nothing is said.

    Must not be called while the application runs: it would take the answer for keys.
    """
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except OSError:
        return TerminalAnswer()
    try:
        if os.tcgetpgrp(terminal) != os.getpgrp():  # in the background: a change would stop us
            return TerminalAnswer()
        with unechoed(terminal):
            return parse_answer(exchange(terminal, seconds))
    except (OSError, termios.error):
        return TerminalAnswer()
    finally:
        os.close(terminal)


@contextmanager
def unechoed(terminal: int) -> Iterator[None]:
    """Read bytes as they come for a while, and show none of them."""
    before = termios.tcgetattr(terminal)
    tty.setcbreak(terminal)
    try:
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSANOW, before)


def exchange(terminal: int, seconds: float) -> bytes:
    """Send the questions, and return what comes until the last of them is answered."""
    os.write(terminal, KITTY_QUERY + NAME_QUERY + ATTRIBUTES_QUERY)
    data, deadline = b"", time.monotonic() + seconds
    while not ATTRIBUTES_ANSWER.search(data):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([terminal], [], [], left)[0]:
            break
        data += os.read(terminal, 4096)
    return data
