"""Textual `Content` for texts from outside and for state labels.

The colour of a state repeats what its label says and never says anything alone.
"""

from __future__ import annotations

from textual.content import Content

from tui.formatting.escape import visible

CUT = "//"
"""Stands around text that shearing removed, so that it can be told without colour."""

STYLES = {
    "RUN": "$text-primary",
    "DONE": "$text-success",
    "FINISHED": "$text-success",
    "FAIL": "$text-error",
    "LOST": "$text-error",
    "WARN": "$text-warning",
    "PAUSED": "$text-warning",
    "REST": "$text-warning",
    "STOP": "$text-warning",
    "STOPPING": "$text-warning",
    "LOAD": "$text-secondary",
    "START": "$text-secondary",
    "WAIT": "$foreground-muted",
    "SKIP": "$foreground-muted",
    "IDLE": "$foreground-muted",
}


def styled(word: str, width: int = 0) -> Content:
    return Content.styled(word.ljust(width), STYLES.get(word, ""))


def title(said: str) -> Content:
    """For the border of a widget, where plain strings are markup."""
    return Content(visible(said))


def kept_and_cut(raw: str, sheared: str, start: int | None, end: int | None) -> Content:
    """The raw text on one line; what shearing removed stands between `//`."""
    if start is None or end is None:
        return Content.assemble(
            visible(raw), (" // sheared: ", "$foreground-muted"), visible(sheared)
        )
    return Content.assemble(cut(raw[:start]), visible(raw[start:end]), cut(raw[end:]))


def cut(text: str) -> Content:
    if not text:
        return Content("")
    return Content.styled(f"{CUT}{visible(text)}{CUT}", "$foreground-muted")
