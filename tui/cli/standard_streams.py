"""Standard input, output and error: they are open, and what cannot be printed is an error.

A descriptor that is closed at the start would be given to the next file that is opened, and a
library's warning would then be written into a caption log.
"""

from __future__ import annotations

import io
import os
import sys

from tui.cli.requests import EXIT_UNFINISHED, warn

CLOSED = "the standard output is closed: send it to a file, or to /dev/null"
OUTPUT = 1
"""The descriptor of the standard output; 0 is the input, 2 the error stream."""


class OutputNotWritten(OSError):
    """Raised if the standard output cannot be written: its disk is full, its reader is gone."""


class CheckedOutput(io.FileIO):
    """The standard output, whose errors are told from those of other files by their class."""

    def write(self, data: object) -> int:
        try:
            return super().write(data)  # type: ignore[arg-type]
        except OSError as error:
            raise OutputNotWritten(error.errno, error.strerror) from error


def open_all() -> bool:
    """Make an empty stream of a closed one, and check the output from now on.

    Returns False if it was the output that was closed, and says so on stderr.
    """
    was_closed = False
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # it gets this descriptor, the lowest one that is free
            was_closed = was_closed or descriptor == OUTPUT
    if was_closed:
        warn(CLOSED)
        return False
    stdout = sys.__stdout__
    if stdout is not None and sys.stdout is stdout:
        sys.stdout = io.TextIOWrapper(
            io.BufferedWriter(CheckedOutput(OUTPUT, "w", closefd=False)),
            encoding=stdout.encoding,
            errors=stdout.errors,
            line_buffering=stdout.line_buffering,
        )
    return True


def flush() -> int | None:
    """Write what was printed so far; return the exit code if that fails, and say why on stderr."""
    try:
        sys.stdout.flush()
    except OutputNotWritten as error:
        return report(error)
    return None


def report(error: OutputNotWritten) -> int:
    """Say on stderr that the output is not written, and return the exit code.

    Nothing is said where the reader has closed its end: `head` has what it wanted.
    """
    # Python writes what is left once more when the process ends.
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, OUTPUT)
    os.close(null)
    if not isinstance(error.__cause__, BrokenPipeError):
        warn(f"the output cannot be written: {error.strerror}")
    return EXIT_UNFINISHED
