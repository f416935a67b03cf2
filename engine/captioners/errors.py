"""The error of a checkpoint, in a module that imports nothing; and errors in one line."""

from __future__ import annotations


class CheckpointError(Exception):
    """A checkpoint that cannot be loaded, by its own fault; the message says what is wrong."""


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, 200 characters at most, or its type's name.

    A line that only announces the next one is joined with it.
    """
    lines = str(error).split("\n") if str(error).strip() else [type(error).__name__]
    lines = [line.strip() for line in lines if line.strip()]
    text = " ".join(lines[:2]) if lines[0].endswith(":") else lines[0]
    return text[:200]
