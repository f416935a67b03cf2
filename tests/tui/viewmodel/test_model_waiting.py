"""What status and the Dashboard say of tasks that wait, and of a pause."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from db.rows import DeviceRow, EventLevel, EventRow, PauseCause, WorkerStatus
from engine.state.waiting import clock
from tests.support.canned_rows import NOW, model_row, worker_row
from tests.tui.keys.states import RUN, snapshot
from tui.cli.output import status_lines
from tui.viewmodel.model_waiting import model_waits
from tui.viewmodel.pause import BY_ITSELF, how_to_go_on
from tui.viewmodel.snapshot import DeviceView, LiveWorker, ModelProgress, Snapshot
from tui.viewmodel.status import status_dict

A, B = model_row(1, "a"), model_row(2, "b")
NO_ROOM = "no room for the model: 13 GiB of 8; tried again after 60 s"


def progress(row: Any, pending: int = 0, running: int = 0, **values: Any) -> ModelProgress:
    counts: dict[str, Any] = {"captioned": 0, "failed": 0, "total": 10, "left": 10, "rate": 0.0}
    return ModelProgress(row=row, pending=pending, running=running, **(counts | values))


def device(state: WorkerStatus | None = None, **values: Any) -> DeviceView:
    """Return a device, with a worker in this state if there is one."""
    worker = None
    if state is not None:
        worker = LiveWorker(replace(worker_row(0, "cuda:0", 1, 1), state=state), None, None)
    return DeviceView(DeviceRow(id="cuda:0", **values), worker, None)


def trouble(level: EventLevel = "warn", model: str = "a", ago: float = 10.0) -> EventRow:
    return EventRow(created=NOW - ago, level=level, text=NO_ROOM, model=model, device="cuda:0")


def running(**changes: Any) -> Snapshot:
    values: dict[str, Any] = {
        "supervisor": RUN,
        "models": (progress(A, pending=2), progress(B)),
        "devices": (device(),),
    }
    return snapshot(**(values | changes))


PINNED = running(devices=(device(pinned_model_id=2),))
IS_PINNED = "cuda:0 is pinned to b, which is finished ('mllmaug-tui unpin /p cuda:0')"


def test_a_pin_to_a_finished_model() -> None:
    assert f"  2 tasks of a wait: {IS_PINNED}" in list(status_lines(PINNED))
    assert status_dict(PINNED)["waits"] == [{"model": "a", "tasks": 2, "reason": IS_PINNED}]


@pytest.mark.parametrize(
    ("shown", "reason"),
    [
        (running(events=(trouble(),)), f"{clock(NOW - 10)} {NO_ROOM}"),
        (running(events=(trouble(),), devices=(device("idle"),)), f"{clock(NOW - 10)} {NO_ROOM}"),
        (running(events=(trouble("info", "b"), trouble())), f"{clock(NOW - 10)} {NO_ROOM}"),
        (
            running(models=(progress(A, pending=2, due_at=NOW + 20),)),
            f"after a failed attempt, until {clock(NOW + 20)}",
        ),
        # Nothing to tell
        (running(), None),
        (running(events=(trouble("info"), trouble())), None),
        (running(events=(trouble(ago=3_600.0),)), None),
        (running(events=(trouble(model="b"),)), None),
        (running(events=(trouble(),), devices=(device("loading"),)), None),
        (running(events=(trouble(),), devices=(device("captioning"),)), None),
        (running(events=(trouble(),), models=(progress(A, pending=2, running=1),)), None),
        (running(events=(trouble(),), models=(progress(replace(A, blocked="x"), 2),)), None),
        (
            running(models=(progress(replace(A, unavailable="HTTP 500", not_before=NOW + 9), 2),)),
            None,  # `describe_wait` says it
        ),
        (replace(PINNED, supervisor=None), None),
        (replace(PINNED, supervisor=replace(RUN, stopping="now")), None),
        (replace(PINNED, project=replace(PINNED.project, paused=True)), None),
    ],
)
def test_reason(shown: Snapshot, reason: str | None) -> None:
    waits = model_waits(shown)
    assert [wait.reason for wait in waits.values()] == ([] if reason is None else [reason])


def paused(cause: PauseCause, reason: str | None = None) -> Snapshot:
    row = replace(PINNED.project, paused=True, pause_cause=cause, pause_reason=reason)
    return running(project=row)


@pytest.mark.parametrize("cause", BY_ITSELF)
def test_a_pause_says_that_it_ends_by_itself(cause: PauseCause) -> None:
    line = f"  {BY_ITSELF[cause]}; 'mllmaug-tui resume /p' goes on at once"
    assert list(status_lines(paused(cause, "no good")))[1] == line


def test_a_persons_pause_says_who_ends_it() -> None:
    assert how_to_go_on(paused("user")) == "'mllmaug-tui resume /p' goes on"
    nothing_runs = replace(paused("disk_full", "full"), supervisor=None)
    assert how_to_go_on(nothing_runs) == "'mllmaug-tui run /p' goes on"
