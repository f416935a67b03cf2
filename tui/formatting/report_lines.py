"""What reading the inputs has shown: what was left out or passed over, and missing captions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from engine.utils.plurals import plural

if TYPE_CHECKING:
    from engine.datasets.inputs.input_report import InputReport

KEYS_SHOWN = 12
"""Most keys or columns that a line names."""


def report_lines(report: InputReport) -> Iterator[str]:
    """Yield what a person should know of how the inputs were read."""
    skipped = report.skipped
    if skipped.count:
        yield f"left out as unreadable: {plural(skipped.count, 'record')}"
        yield from (f"  {why}" for why in skipped.messages)
        if skipped.count > len(skipped.messages):
            yield f"  and {skipped.count - len(skipped.messages):,} more"
    yield from passed_over_lines(report)
    yield from report.notes
    missing = missing_captions(report)
    if missing:
        yield missing


def captions_line(report: InputReport) -> str:
    """Return how many records have an original caption."""
    return f"original captions: {report.captioned:,} of {plural(report.records, 'record')}"


def passed_over_lines(report: InputReport) -> Iterator[str]:
    """Yield why something was passed over, how often, and what to do about it."""
    yield from (f"passed over: {reason}" for reason in report.reasons())


def missing_captions(report: InputReport) -> str:
    """Return that the original captions of over half of the records are missing, if they are."""
    if report.captioned * 2 >= report.records:
        return ""
    if report.captioned:
        line = (
            f"only {report.captioned:,} of {plural(report.records, 'record')} have an original"
            " caption"
        )
    else:
        line = "no record has an original caption"
    keys = report.uncaptioned_keys
    if not keys:
        return line
    more = ", ..." if len(keys) > KEYS_SHOWN else ""
    listed = ", ".join(key[:40] for key in keys[:KEYS_SHOWN])
    return f"{line}: keys are {listed}{more}; name one with --caption-column"
