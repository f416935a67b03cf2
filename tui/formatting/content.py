"""Textual `Content` for texts from outside and for state labels.

The colour of a state repeats what its label says and never says anything alone.
"""

from __future__ import annotations

from textual.content import Content

from tui.formatting.escape import visible

CUT = "//"
"""Stands around text that shearing removed, so that it is seen without colour."""

LABEL_STYLES = {
    "RUN": "$text-primary",
    "DONE": "$text-success",
    "FINISHED": "$text-success",
    "FAIL": "$text-error",
    "KILLED": "$text-error",
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
"""The style of each state label."""


def state_label(label: str, width: int = 0) -> Content:
    """Return a state label in its colour, padded to `width` characters."""
    return Content.styled(label.ljust(width), LABEL_STYLES.get(label, ""))


def title(plain: str) -> Content:
    """Return a title for the border of a widget, where a plain string would be read as markup."""
    return Content(visible(plain))


def kept_and_cut(raw: str, sheared: str, start: int | None, end: int | None) -> Content:
    """Return the raw caption on one line, with what shearing removed between `//`.

    `start` and `end` bound the kept part; if they are None, the sheared caption follows instead.
    """
    if start is None or end is None:
        return Content.assemble(
            visible(raw), (" // sheared: ", "$foreground-muted"), visible(sheared)
        )
    return Content.assemble(
        removed_text(raw[:start]), visible(raw[start:end]), removed_text(raw[end:])
    )


def removed_text(text: str) -> Content:
    if not text:
        return Content("")
    return Content.styled(f"{CUT}{visible(text)}{CUT}", "$foreground-muted")
