"""The actions of the Failures screen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tui.keys.action import Action
from tui.keys.screen import ScreenState, enlarge_action

if TYPE_CHECKING:
    from db.failures import Cause
    from tui.viewmodel.failures_by_image import FailedImage


@dataclass(frozen=True, kw_only=True)
class FailuresState(ScreenState):
    """What the Failures screen shows now."""

    cause: Cause | None = None
    """The cause under the cursor."""
    occurrence: FailedImage | None = None
    """The row under the cursor of the lower table."""


def a_cause(state: FailuresState) -> str | None:
    return "nothing failed" if state.cause is None else None


def failed_records(state: FailuresState) -> str | None:
    if state.cause is not None and state.cause.scope == "shard":
        return "only records can be excluded; x on Shards skips a shard"
    return None


def records_asked_for(state: FailuresState) -> str | None:
    if state.cause is not None and state.cause.kind in ("excluded", "empty"):
        return "these are not captioned anyway"
    return None


def another_caption(state: FailuresState) -> str | None:
    if state.cause is not None and state.cause.kind == "empty":
        return "shearing again would give the same"
    return None


def a_single_record(state: FailuresState) -> str | None:
    if state.occurrence is None or state.occurrence.record_key is None:
        return "no single record is chosen"
    return None


FAILURES_ACTIONS: tuple[Action[FailuresState], ...] = (
    Action(
        "r",
        "retry",
        "Retry",
        tooltip="Retry the cause or the rows",
        id="failures.retry",
        synonyms="again redo repeat rerun errors",
        changes_run=True,
        needs=(a_cause, another_caption),
    ),
    Action(
        "x",
        "exclude",
        "Exclude",
        tooltip="Exclude records",
        id="failures.exclude",
        synonyms="remove ignore drop leave out delete images skip",
        changes_run=True,
        needs=(a_cause, failed_records, records_asked_for),
    ),
    Action(
        "o",
        "show",
        "Show",
        tooltip="Show the record in Samples",
        id="failures.show",
        synonyms="picture image look see caption",
        needs=(a_cause, a_single_record),
    ),
    Action(
        "w",
        "write",
        "CSV",
        tooltip="Write failures as CSV",
        id="failures.write",
        synonyms="export save list spreadsheet file errors",
        needs=(a_cause,),
    ),
    Action(
        "s",
        "group",
        "Group",
        tooltip="By cause, model or shard",
        id="failures.group",
        synonyms="order sort cause model shard reason",
    ),
    enlarge_action("failures", needs=(a_cause, a_single_record)),
    Action(
        "escape", "back", "Back", show=False, tooltip="Clear marks, then go up", id="failures.back"
    ),
)
