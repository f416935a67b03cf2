"""Which actions change the run, and which need an open project."""

from __future__ import annotations

CHANGES = frozenset(
    (
        "start",
        "start_on",
        "pause",
        "resume",
        "retry",
        "retry_failed",
        "skip",
        "priority",
        "pin",
        "wake",
        "exclude",
        "flag",
        "reshear",
        "leave",
    )
)
"""Actions that change the run. They are off with `--readonly`."""
NEEDS_PROJECT = frozenset(
    (
        "start",
        "start_on",
        "pause",
        "resume",
        "export",
        "switch_mode",
        "refresh",
        "coverage",
        "lengths",
        "pilot",
        "models",
        "reshear",
    )
)
"""Actions that do nothing without an open project."""
READONLY = "opened with --readonly"
"""Why an action that changes the run is off, as the screens show it."""
