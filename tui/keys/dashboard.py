"""The actions of the Dashboard."""

from __future__ import annotations

from tui.keys.action import Action
from tui.keys.screen import ScreenState


def a_failed_shard(state: ScreenState) -> str | None:
    snapshot = state.session.snapshot
    if snapshot is not None and snapshot.tasks["failed"]:
        return None
    return "no shard failed; failed records are on Failures (4)"


def a_resting_device(state: ScreenState) -> str | None:
    snapshot = state.session.snapshot
    return None if snapshot is not None and snapshot.resting_devices else "no device rests"


DASHBOARD_ACTIONS: tuple[Action[ScreenState], ...] = (
    Action(
        "r",
        "retry_failed",
        "Retry",
        tooltip="Retry failed shards",
        id="dashboard.retry_failed",
        synonyms="again redo repeat errors failures",
        changes_run=True,
        needs=(a_failed_shard,),
    ),
    Action(
        "t",
        "window",
        "Window",
        show=False,
        tooltip="Plot 5, 30 min, 6 h, all",
        id="plot.window",
        synonyms="throughput chart graph time range minutes hours",
    ),
    Action(
        "v",
        "model",
        "Model",
        show=False,
        tooltip="Plot all models or one",
        id="plot.model",
        synonyms="throughput chart graph speed",
    ),
    Action(
        "w",
        "wake",
        "Wake",
        show=False,
        tooltip="Wake resting devices",
        id="dashboard.wake",
        synonyms="gpu resting sleeping idle use again devices",
        changes_run=True,
        needs=(a_resting_device,),
    ),
)
