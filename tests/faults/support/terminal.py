"""The application and its commands in a pseudo-terminal, as people run them."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time

from tests.support.cli import MAIN
from tests.support.waiting import TIMEOUT_SECONDS


class Terminal:
    """A process of `mllmaug-tui` in a pseudo-terminal of 100 x 30 characters.

    `screen` is everything that the process wrote so far, escape sequences included.
    """

    def __init__(self, *arguments: object, code: str = MAIN, **environment: str) -> None:
        self.screen = b""
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            signal.signal(signal.SIGHUP, signal.SIG_DFL)
            os.environ.update({"TERM": "xterm-256color", "COLORTERM": "truecolor"} | environment)
            os.execv(sys.executable, [sys.executable, "-c", code, *map(str, arguments)])
        os.set_inheritable(self.master, False)  # the next terminal must not hold this one open
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))

    def type(self, keys: str) -> None:
        """Send keys, which may be escape sequences."""
        os.write(self.master, keys.encode())

    def read(self, seconds: float = 0.05) -> str:
        """Wait at most `seconds` for output, and return everything that was written so far."""
        while select.select([self.master], [], [], seconds)[0]:
            try:
                data = os.read(self.master, 65536)
            except OSError:  # the other end is gone
                break
            if not data:
                break
            self.screen += data
            seconds = 0
        return self.screen.decode(errors="replace")

    def wait_for(self, text: str, timeout: float = TIMEOUT_SECONDS) -> float:
        """Wait until the text was written, and return the seconds that this took."""
        began = time.monotonic()
        while text not in self.read():
            if time.monotonic() - began > timeout:
                raise AssertionError(f"no {text!r} within {timeout} s: {self.screen[-2000:]!r}")
        return time.monotonic() - began

    def hang_up(self) -> None:
        """Close the terminal, as when a connection is lost: the kernel sends SIGHUP."""
        if self.master >= 0:
            os.close(self.master)
            self.master = -1

    def gone(self) -> bool:
        """Return True if the process has ended."""
        try:
            pid, _ = os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:
            return True
        return pid != 0

    def kill(self) -> None:
        """Send SIGKILL, unless the process has ended, and wait for its end."""
        if not self.gone():
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self.hang_up()
