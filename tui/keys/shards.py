"""The actions of the Shards screen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tui.keys.action import Action
from tui.keys.screen import ScreenState

if TYPE_CHECKING:
    from db.rows import TaskRow


@dataclass(frozen=True, kw_only=True)
class ShardsState(ScreenState):
    """What the Shards screen shows now."""

    task: TaskRow | None = None
    """The task under the cursor."""
    marked: bool = False
    """True if any row is marked: then a key acts on the marked rows."""


def a_task(state: ShardsState) -> str | None:
    return "no shard is shown" if state.task is None else None


def chosen_tasks(state: ShardsState) -> str | None:
    return None if state.marked else a_task(state)


def skippable_task(state: ShardsState) -> str | None:
    if not state.marked and state.task is not None and state.task.state in ("done", "running"):
        return "only pending or failed shards can be skipped"
    return None


def waiting_task(state: ShardsState) -> str | None:
    if not state.marked and state.task is not None and state.task.state != "pending":
        return "only pending shards have a priority"
    return None


def a_run(state: ShardsState) -> str | None:
    snapshot = state.session.snapshot
    return "nothing is running" if snapshot is None or snapshot.supervisor is None else None


SHARDS_ACTIONS: tuple[Action[ShardsState], ...] = (
    Action(
        "r",
        "retry(False)",
        "Retry",
        tooltip="Retry the marked or current shards",
        id="shards.retry",
        synonyms="again redo repeat rerun",
        changes_run=True,
        needs=(chosen_tasks,),
    ),
    Action(
        "R",
        "retry(True)",
        "Failed",
        tooltip="Retry only the failed records",
        id="shards.retry_failed",
        synonyms="again redo repeat rerun errors images",
        changes_run=True,
        needs=(chosen_tasks,),
    ),
    Action(
        "b",
        "ask_again",
        "Bad",
        show=False,
        tooltip="Retry bad captions",
        id="shards.ask_again",
        synonyms="again redo regenerate repeat loops cut refusals seed quality",
        changes_run=True,
        needs=(chosen_tasks,),
    ),
    Action(
        "x",
        "skip",
        "Skip",
        tooltip="Skip or unskip",
        id="shards.skip",
        synonyms="leave out ignore omit unskip shard",
        changes_run=True,
        needs=(chosen_tasks, skippable_task),
    ),
    Action(
        "slash",
        "filter",
        "Filter",
        tooltip="Filter the rows",
        id="shards.filter",
        synonyms="find search show only select state model",
    ),
    Action(
        "s",
        "sort",
        "Sort",
        show=False,
        tooltip="Sort by the next column",
        id="shards.sort",
        synonyms="order column",
    ),
    Action(
        "S",
        "reverse",
        "Reverse",
        show=False,
        tooltip="Reverse the sort",
        id="shards.reverse",
        synonyms="order descending ascending sort",
    ),
    Action(
        "a",
        "mark_all",
        "All",
        show=False,
        tooltip="Mark all that match",
        id="shards.all",
        synonyms="select everything",
        needs=(chosen_tasks,),
    ),
    Action(
        "plus",
        "priority(1)",
        "Sooner",
        show=False,
        tooltip="Start sooner",
        id="shards.sooner",
        synonyms="priority first next important prefer",
        changes_run=True,
        needs=(chosen_tasks, waiting_task),
    ),
    Action(
        "minus",
        "priority(-1)",
        "Later",
        show=False,
        tooltip="Start later",
        id="shards.later",
        synonyms="priority last lower postpone",
        changes_run=True,
        needs=(chosen_tasks, waiting_task),
    ),
    Action(
        "P",
        "pin",
        "Pin",
        show=False,
        tooltip="Reserve a device for the model",
        id="shards.pin",
        synonyms="gpu only assign reserve unpin dedicate",
        changes_run=True,
        needs=(a_run, a_task),
    ),
    Action(
        "o",
        "show",
        "Open",
        show=False,
        tooltip="Show its captions in Samples",
        id="shards.show",
        synonyms="samples look images see shard",
        needs=(a_task,),
    ),
    Action(
        "escape",
        "back",
        "Back",
        show=False,
        tooltip="Clear marks, then the filter",
        id="shards.back",
    ),
)
