"""When a scorer's task starts, and when it looks for captions that are new: the ledger's rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from db.rows import TaskRow, TaskState
from engine.state.policy import Policy
from engine.state.task_ledger import TaskLedger

CAPTIONERS, SCORER = (1, 2), 3
NOW = 1000.0

Step = Callable[[TaskLedger], object]


def ledger_of(first: TaskState, second: TaskState, scoring: TaskState) -> TaskLedger:
    """Return a ledger of one shard; the id of each task is that of its model."""
    states = (first, second, scoring)
    return TaskLedger(
        [TaskRow(id=m, shard=0, model_id=m, count=4, state=s) for m, s in enumerate(states, 1)],
        Policy(),
        {SCORER},
    )


@pytest.mark.parametrize(
    ("first", "second", "starts"),
    [
        ("pending", "done", False),
        ("running", "done", False),
        ("pending", "failed", False),
        ("done", "done", True),
        ("failed", "done", True),
        ("skipped", "failed", True),
    ],
)
def test_a_scorers_task_starts_once_no_captioners_task_of_its_shard_is_open(
    first: TaskState, second: TaskState, starts: bool
) -> None:
    ledger = ledger_of(first, second, "pending")
    assert (ledger.next_task(SCORER, NOW) is not None) == starts


def test_another_shard_holds_no_task_up() -> None:
    tasks = [
        TaskRow(id=1, shard=0, model_id=1, count=4),
        TaskRow(id=2, shard=0, model_id=SCORER, count=4),
        TaskRow(id=3, shard=1, model_id=1, count=4, state="done"),
        TaskRow(id=4, shard=1, model_id=SCORER, count=4),
    ]
    task = TaskLedger(tasks, Policy(), {SCORER}).next_task(SCORER, NOW)
    assert task is not None and task.id == 4


@dataclass(frozen=True)
class Case:
    """What a captioner's task does, and what becomes of the scorer's."""

    name: str
    before: tuple[TaskState, TaskState, TaskState]
    step: Step
    state: TaskState
    """Of the scorer's task afterwards."""
    uncounted: bool = False
    """True if its log is to be counted anew."""
    starts: bool = False
    """True if it may start."""


def done(ledger: TaskLedger) -> None:
    ledger.mark_done(1, NOW, rows=4)


CASES = (
    Case("the last captions", ("running", "done", "pending"), done, "pending", starts=True),
    Case("not the last captions", ("running", "pending", "pending"), done, "pending"),
    Case("again", ("running", "done", "done"), done, "pending", uncounted=True),
    Case("again, not the last", ("running", "running", "done"), done, "done"),
    Case("while it runs", ("running", "done", "running"), done, "running"),
    Case("while it is left out", ("running", "done", "skipped"), done, "skipped"),
    Case(
        "a captioner fails",
        ("running", "done", "done"),
        lambda ledger: ledger.fail(1, NOW, "why", "crashed"),
        "pending",
        uncounted=True,
    ),
    Case(
        "a captioner is left out",
        ("pending", "done", "pending"),
        lambda ledger: ledger.skip(1, NOW, True),
        "pending",
        starts=True,
    ),
    Case(
        "an import into a task that is left out",
        ("skipped", "done", "done"),
        lambda ledger: ledger.change(1, NOW, rows=4),
        "pending",
        uncounted=True,
    ),
    Case(
        "a captioner is retried",
        ("done", "done", "pending"),
        lambda ledger: ledger.retry(1, NOW, failed_items=False),
        "pending",
    ),
    Case(
        "its own task is done",
        ("done", "done", "running"),
        lambda ledger: ledger.mark_done(SCORER, NOW, rows=4),
        "done",
    ),
    Case(
        "shearing changes",
        ("done", "done", "done"),
        lambda ledger: ledger.reopen_scoring(0, NOW),
        "pending",
        uncounted=True,
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_becomes_of_a_scorers_task(case: Case) -> None:
    ledger = ledger_of(*case.before)
    ledger.next_task(SCORER, NOW)  # a device has looked for work before
    case.step(ledger)
    ledger.last_saved.clear()  # a commit
    assert ledger[SCORER].state == case.state
    assert (ledger.next_uncounted() is not None) == case.uncounted
    assert (ledger.next_task(SCORER, NOW) is not None) == case.starts


def test_a_task_is_counted_before_it_starts() -> None:
    ledger = ledger_of("running", "done", "done")
    done(ledger)
    ledger.last_saved.clear()
    assert ledger.next_task(SCORER, NOW) is None
    ledger.change(SCORER, NOW, left=2)
    ledger.on_counted(SCORER)
    assert ledger.next_uncounted() is None
    assert ledger.next_task(SCORER, NOW) == ledger[SCORER]


def test_a_count_waits_for_captions_that_are_asked_for_again() -> None:
    ledger = ledger_of("running", "done", "done")
    done(ledger)
    ledger.retry(1, NOW, failed_items=False)
    assert ledger.next_uncounted() is None
    ledger.start(1, "cpu", NOW)
    done(ledger)
    assert ledger.next_uncounted() == ledger[SCORER]


def test_tasks_of_a_scorer_keep_their_order() -> None:
    ledger = TaskLedger(
        [
            TaskRow(id=shard * 2 + m, shard=shard, model_id=(1, SCORER)[m], count=4)
            for shard in range(3)
            for m in (0, 1)
        ],
        Policy(),
        {SCORER},
    )
    assert ledger.next_task(SCORER, NOW) is None
    ledger.prioritise(5, NOW, 1)
    for task_id in (0, 2, 4):
        ledger.start(task_id, "cpu", NOW)
        ledger.mark_done(task_id, NOW, rows=4)
    started = []
    while (task := ledger.next_task(SCORER, NOW)) is not None:
        started.append(ledger.start(task.id, "cpu", NOW).shard)
    assert started == [2, 0, 1]
