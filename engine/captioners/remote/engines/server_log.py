"""What a server prints: passed on to the worker's log, in bounds, and its last lines remembered."""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import IO

LINE_ENDS = re.compile(rb"[\r\n]+")
"""The ends of lines; a progress bar ends its own with a carriage return."""
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x1f\x7f-\x9f]")
"""Colours and other control characters, which are for a terminal."""
LINE_CHARACTERS = 500
"""Characters of a line that are kept: a server may print pictures."""
READ_BYTES = 2**16
"""Most bytes that are read from a server at a time."""
BYTES_A_SECOND = 2**15
"""Bytes of a server's output that are passed on each second; more is counted and left out. A server
that prints for every request would fill the log."""
LAST_LINES = 8
"""Lines that are remembered, for the message about a server that has ended."""


class ServerLog:
    """Reads a server's output to its end, in a thread, however much that is."""

    def __init__(
        self,
        output: IO[bytes],
        write: Callable[[str], object],
        secret: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`write` takes lines for the worker's log; `secret` is a text that none of them holds."""
        self.output = output
        self.write = write
        self.secret = secret
        self.clock = clock
        self.last_lines: deque[str] = deque(maxlen=LAST_LINES)
        self.second = clock()
        """When the present second began, in which `passed_on` counts bytes."""
        self.passed_on = 0
        self.left_out = 0
        """Lines that were left out since the last that was passed on."""
        self.thread = threading.Thread(target=self.read, daemon=True, name="server log")
        self.thread.start()

    @property
    def last_line(self) -> str:
        """The last line so far; empty before the first."""
        return self.last_lines[-1] if self.last_lines else ""

    @property
    def end(self) -> str:
        """The last lines in one, for a message."""
        return " | ".join(self.last_lines)

    def read(self) -> None:
        rest = b""
        with self.output:
            while data := self.output.read1(READ_BYTES):  # type: ignore[attr-defined]
                *lines, rest = LINE_ENDS.split(rest + data)
                rest = rest[:READ_BYTES]  # of a line without an end
                for line in lines:
                    self.take(line)
        self.take(rest)
        self.tell_left_out()

    def take(self, line: bytes) -> None:
        """Remember a line, and pass it on unless there were too many in this second."""
        text = CONTROL.sub(" ", line[: 4 * LINE_CHARACTERS].decode(errors="replace"))
        text = text.replace(self.secret, "***").strip()[:LINE_CHARACTERS]
        if not text:
            return
        self.last_lines.append(text)
        now = self.clock()
        if now - self.second >= 1:
            self.second, self.passed_on = now, 0
        if self.passed_on > BYTES_A_SECOND:
            self.left_out += 1
            return
        self.tell_left_out()
        self.passed_on += len(text)
        self.write(f"server: {text}\n")

    def tell_left_out(self) -> None:
        if self.left_out:
            self.write(f"server: ({self.left_out:,} lines left out)\n")
            self.left_out = 0
