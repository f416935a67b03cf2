"""Commands in forked children, which need not import everything again: that takes half a second."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from tests.support.cli import MAIN
from tests.support.waiting import TIMEOUT_SECONDS


def run_code(code: str, arguments: Sequence[object]) -> NoReturn:
    """Do in a child that was just forked what `python -c code` does with these arguments.

    The streams 0 to 2 of the process are those of the command.
    """
    status = 1
    try:
        atexit._clear()  # what the parent will do at its own end
        sys.stdin = sys.__stdin__ = os.fdopen(0)  # type: ignore[misc]
        sys.stdout = sys.__stdout__ = os.fdopen(1, "w")  # type: ignore[misc]
        sys.stderr = sys.__stderr__ = os.fdopen(2, "w", buffering=1)  # type: ignore[misc]
        sys.argv = ["-c", *map(str, arguments)]
        try:
            exec(code, {"__name__": "__main__"})
            status = 0
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 0
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
    except BaseException:
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(status)


class ForkedCommand:
    """A child process that runs `mllmaug-tui`, or other code, with these arguments.

    It is used like a `subprocess.Popen` with a pipe for its two outputs and nothing as its input.
    """

    def __init__(self, *arguments: object, code: str = MAIN, cwd: Path | None = None) -> None:
        self.returncode: int | None = None
        reading, writing = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(writing, 1)
            os.dup2(writing, 2)
            os.close(reading)
            os.close(writing)
            os.environ["COLUMNS"] = "200"
            if cwd is not None:
                os.chdir(cwd)
            run_code(code, arguments)
        os.close(writing)
        self.stdout = os.fdopen(reading)

    def poll(self) -> int | None:
        """Return the exit code, or None while the process runs."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float = TIMEOUT_SECONDS) -> int:
        """Return the exit code. Kills the process and fails after `timeout` seconds."""
        end = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > end:
                self.send_signal(signal.SIGKILL)
                raise AssertionError(f"still running after {timeout} s")
            time.sleep(0.01)
        return code

    def communicate(self, timeout: float = TIMEOUT_SECONDS) -> tuple[str, None]:
        """Return what the process writes until its end. Kills it after `timeout` seconds."""
        killer = threading.Timer(timeout, self.send_signal, [signal.SIGKILL])
        killer.start()
        output = self.stdout.read()
        killer.cancel()
        self.wait(timeout)
        return output, None

    def send_signal(self, number: int) -> None:
        """Send the signal, unless the process has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def __enter__(self) -> ForkedCommand:
        return self

    def __exit__(self, *_: object) -> None:
        self.stdout.close()
        self.wait()
