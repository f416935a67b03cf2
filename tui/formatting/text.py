"""Text for screens and commands: numbers, times, sizes; clipping, padding, errors."""

from __future__ import annotations

from datetime import datetime

from rich.cells import cell_len, set_cell_size

from engine.utils.plurals import plural as plural
from tui.formatting.escape import visible as visible


def clip(text: str, width: int) -> str:
    """Return at most `width` cells of a visible text, with an ellipsis if it is longer."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, width - 1).rstrip() + "…" if width > 0 else ""


def fit(text: str, width: int, right: bool = False) -> str:
    """Return exactly `width` cells of any text: clipped, or padded (on the left if `right`)."""
    text = clip(visible(text), width)
    blank = " " * (width - cell_len(text))
    return blank + text if right else text + blank


def number(value: int) -> str:
    return f"{value:,}"


def percent(share: float) -> str:
    """Return a share (0 to 1) in percent: not 100 % before the end, not 0 % after the start."""
    if 0 < share < 1:
        share = min(max(share, 0.01), 0.99)
    return f"{share:.0%}"


def rate(images_per_second: float) -> str:
    """Return a rate without a unit, with one decimal below 1,000."""
    return (
        f"{images_per_second:.1f}" if images_per_second < 1_000 else number(int(images_per_second))
    )


def duration(seconds: float | None) -> str:
    """Return a duration in two units: `2d03h`, `3h12m`, `4m10s`, `9s`; `-` for None."""
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
    """Return the local time of a moment (seconds since the epoch), `-` for None and 0."""
    return "-" if not seconds else datetime.fromtimestamp(seconds).strftime("%H:%M:%S")


def day_and_clock(seconds: float | None) -> str:
    """Return the local month, day and time of a moment, `-` for None and 0."""
    return "-" if not seconds else datetime.fromtimestamp(seconds).strftime("%m-%d %H:%M:%S")


def moment(seconds: float, now: float) -> str:
    """Return the local time of a moment, with the day unless it is that of `now`."""
    same_day = datetime.fromtimestamp(seconds).date() == datetime.fromtimestamp(now).date()
    return clock(seconds) if same_day else day_and_clock(seconds)


def size(count: int) -> str:
    """Return a number of bytes in the unit that suits it."""
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
