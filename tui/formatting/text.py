"""Texts for the screen: numbers, times, and whatever captions, paths and errors contain."""

from __future__ import annotations

from datetime import datetime

from rich.cells import cell_len, set_cell_size

from engine.utils.plurals import plural as plural
from tui.formatting.escape import visible as visible


def clip(text: str, width: int) -> str:
    """At most `width` cells of a visible text, with an ellipsis where something is missing."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, width - 1).rstrip() + "…" if width > 0 else ""


def fit(text: str, width: int, right: bool = False) -> str:
    """Exactly `width` cells of any text."""
    text = clip(visible(text), width)
    blank = " " * (width - cell_len(text))
    return blank + text if right else text + blank


def number(value: int) -> str:
    return f"{value:,}"


def percent(share: float) -> str:
    """Never 100 % before the end, nor 0 % after the start."""
    if 0 < share < 1:
        share = min(max(share, 0.01), 0.99)
    return f"{share:.0%}"


def rate(images_per_second: float) -> str:
    return (
        f"{images_per_second:.1f}" if images_per_second < 1_000 else number(int(images_per_second))
    )


def duration(seconds: float | None) -> str:
    """Two units: `2d03h`, `3h12m`, `4m10s`, `9s`; `-` where unknown."""
    if seconds is None:
        return "-"
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3_600:
        return f"{whole // 60}m{whole % 60:02}s"
    if whole < 86_400:
        return f"{whole // 3_600}h{whole % 3_600 // 60:02}m"
    return f"{whole // 86_400}d{whole % 86_400 // 3_600:02}h"


def clock(seconds: float | None) -> str:
    return "-" if not seconds else datetime.fromtimestamp(seconds).strftime("%H:%M:%S")


def day_and_clock(seconds: float | None) -> str:
    return "-" if not seconds else datetime.fromtimestamp(seconds).strftime("%m-%d %H:%M:%S")


def size(count: int) -> str:
    """Bytes in a unit that suits them."""
    value, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"


def describe_error(error: Exception) -> str:
    """Return an unforeseen error as one line: its type and the first line of its message."""
    message = str(error).partition("\n")[0]
    return f"{type(error).__name__}: {message}" if message else type(error).__name__
