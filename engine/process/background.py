"""Calls a function in a process of its own, for an application that must stay responsive.

The process is nice to others, tells how far it is, and can be cancelled at any time.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import redirect_stderr, suppress
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Lock
from typing import Any, Generic, TypeVar

from engine.process.pool import initialize_process
from engine.utils.errors import BadInput

ResultT = TypeVar("ResultT")
Progress = Callable[..., None]
"""A function that takes the numbers of what is done and of all, and may take what came of it."""

NICENESS = 10
"""What is added to the niceness of the process: the run and the application come first."""


class Cancelled(Exception):
    """The call was cancelled."""


class BackgroundFailed(Exception):
    """The function raised an unforeseen error, or its process was killed, as the message says."""


class BackgroundCall(Generic[ResultT]):
    """A call of a function of a module, which also gets a `Progress` as `progress`."""

    def __init__(self, function: Callable[..., ResultT], *arguments: Any) -> None:
        self.receiver, self.sender = get_context("spawn").Pipe(duplex=False)
        self.process = get_context("spawn").Process(
            target=call_and_send, args=(self.sender, os.getpid(), function, arguments)
        )
        self.cancelled = False
        """True once `cancel` was called."""
        self.starting = Lock()
        """Held while the process is started or killed."""

    def run(self, progress: Progress) -> ResultT:
        """Return what the function returns, in the thread that calls this.

        Raises `BadInput` if the function does, `Cancelled`, `BackgroundFailed`.
        """
        with self.receiver:
            self.start()
            try:
                while True:
                    kind, value = self.receiver.recv()
                    if kind == "result":
                        result: ResultT = value
                        return result
                    if kind == "progress":
                        progress(*value)
                    elif kind == "bad input":
                        raise BadInput(value)
                    else:
                        raise BackgroundFailed(value)
            except EOFError as error:
                self.process.join()
                if self.cancelled:
                    raise Cancelled from error
                code = self.process.exitcode
                raise BackgroundFailed(f"its process ended with code {code}") from error
            finally:
                self.process.kill()
                self.process.join()

    def start(self) -> None:
        with self.starting, self.sender:
            if self.cancelled:
                raise Cancelled
            with redirect_stderr(None):
                # The tracker asks `sys.stderr` for its file, and ends on the -1 of Textual's.
                resource_tracker.ensure_running()
                self.process.start()

    def cancel(self) -> None:
        """Kill the process, from any thread; `run` then raises `Cancelled`."""
        with self.starting:
            self.cancelled = True
            if self.process.pid is not None:
                with suppress(ValueError):  # it was closed
                    self.process.kill()


def call_and_send(
    sender: Connection, parent: int, function: Callable[..., object], arguments: tuple[Any, ...]
) -> None:
    """Call a function in the child, and send its progress, then its result or its error."""
    initialize_process(parent)
    os.nice(NICENESS)
    with Path(os.devnull).open("wb") as nothing:
        for descriptor in (1, 2):  # the terminal is the application's
            os.dup2(nothing.fileno(), descriptor)

    def progress(*values: object) -> None:
        sender.send(("progress", values))

    try:
        message: tuple[str, object] = "result", function(*arguments, progress=progress)
    except BadInput as error:
        message = "bad input", str(error)
    except Exception as error:
        message = "failed", f"{type(error).__name__}: {error}"
    sender.send(message)
