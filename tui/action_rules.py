"""Which actions of the application change the run, and which need an open project."""

from __future__ import annotations

RUN_CHANGING_ACTIONS = frozenset(
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
"""Names of the actions that change the run. They are off with `--readonly`."""
ACTIONS_NEEDING_PROJECT = frozenset(
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
"""Names of the actions that cannot work without an open project."""
READONLY_REASON = "opened with --readonly"
"""Why an action that changes the run is off, as the screens show it."""
