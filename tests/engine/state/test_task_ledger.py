"""Strikes, delays, retries and the order of tasks in the ledger; which model a device works on."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.rows import TaskRow
from engine.project.caption_log import LogCounts
from engine.state.policy import Policy
from engine.state.task_ledger import TaskLedger
from engine.supervisor.scheduler import Demand, choose_model

POLICY = Policy()


def make_ledger(count: int = 3, **values: Any) -> TaskLedger:
    tasks = [
        TaskRow(id=n + 1, shard=n, model_id=1, count=10, left=10, **values) for n in range(count)
    ]
    return TaskLedger(tasks, POLICY)


def test_tasks_start_in_order_and_by_priority() -> None:
    ledger = make_ledger()
    assert ledger.next_task(1, 0.0).id == 1
    ledger.change(3, 0.0, priority=5)
    assert ledger.next_task(1, 0.0).id == 3
    ledger.start(3, "cpu:0", 0.0)
    assert ledger.next_task(1, 0.0).id == 1
    assert ledger.next_task(2, 0.0) is None


def test_strikes_delay_and_then_fail() -> None:
    ledger = make_ledger(1)
    now = 1000.0
    for strike, delay in ((1, 30.0), (2, 60.0)):
        ledger.start(1, "cpu:0", now)
        task = ledger.strike(1, now, added_rows=False, error="died", cause="exited")
        assert (task.state, task.strikes, task.not_before) == ("pending", strike, now + delay)
        assert ledger.next_task(1, now + delay - 1) is None
        now += delay
        assert ledger.next_task(1, now).id == 1
    ledger.start(1, "cpu:0", now)
    assert ledger.strike(1, now, added_rows=False, error="died", cause="exited").state == "failed"
    assert ledger.finished


def test_an_attempt_that_added_rows_clears_strikes() -> None:
    ledger = make_ledger(1, strikes=2)
    ledger.start(1, "cpu:0", 0.0)
    task = ledger.strike(1, 0.0, added_rows=True, error="died", cause="exited")
    assert (task.state, task.strikes, task.not_before) == ("pending", 0, 0.0)


def test_the_longest_delay_holds_and_a_clock_set_back_does_not_wait_for_ever() -> None:
    assert POLICY.delay(50) == POLICY.longest_delay
    ledger = make_ledger(1, not_before=10**9 + 30.0)
    assert ledger.next_task(1, 10**9) is None
    assert ledger.next_task(1, 10**9 - 10**6).id == 1


def test_retry_of_failed_records_asks_for_what_has_no_caption() -> None:
    done = TaskRow(
        id=1,
        shard=0,
        model_id=1,
        count=10,
        state="done",
        captioned=7,
        failed=3,
        log_bytes=900,
        digest="d",
    )
    ledger = TaskLedger([done], POLICY)
    assert ledger.retry(1, 0.0, failed_items=True)
    task = ledger[1]
    assert (task.state, task.redo, task.redo_from, task.left) == ("pending", "failed", 900, 3)
    assert task.digest == "d", "what the log held is compared when the task starts"
    assert task.asked == 3
    ledger.change(1, 0.0, left=1)
    assert ledger.mark_done(1, 8.0, captioned=10, failed=0, digest="e").asked == 0


def test_records_that_are_asked_again_are_counted() -> None:
    ledger = make_ledger(1)
    ledger.ask_again(1, 0.0, 2)
    assert ledger[1].asked == 0, "they are a part of the first round"
    ledger.mark_done(1, 5.0, captioned=10, failed=0, digest="d")
    for asked in (2, 5):
        ledger.ask_again(1, 6.0, asked)
    assert ledger[1].asked == 7
    assert ledger.restart(1, 9.0).asked == 0


def test_a_task_is_finished_once() -> None:
    ledger = make_ledger(1)
    for now in (5.0, 9.0):  # the second time, a record of it was excluded
        ledger.mark_done(1, now, captioned=10, failed=0, digest="d")
    assert ledger[1].finished == 5.0


def test_a_retried_task_starts_only_once_the_database_has_it_so() -> None:
    done = TaskRow(id=1, shard=0, model_id=1, count=10, state="done", captioned=10, digest="d")
    ledger = TaskLedger([done], POLICY)
    ledger.retry(1, 0.0, failed_items=False)
    assert ledger.next_task(1, 0.0) is None
    ledger.last_saved.clear()  # a commit
    assert ledger.next_task(1, 0.0) == ledger[1]
    assert ledger.start(1, "cpu", 0.0).digest is None


def test_retry_of_a_whole_shard_asks_for_everything() -> None:
    done = TaskRow(
        id=1, shard=0, model_id=1, count=10, state="done", captioned=10, log_bytes=900, digest="d"
    )
    ledger = TaskLedger([done], POLICY)
    assert not ledger.retry(1, 0.0, failed_items=True)
    assert ledger.retry(1, 0.0, failed_items=False)
    assert (ledger[1].redo, ledger[1].redo_from, ledger[1].left) == ("all", 900, 10)
    # A second retry of the failed records does not make the first one forget the rest.
    ledger.change(1, 0.0, left=4, failed=1, captioned=9)
    assert ledger.retry(1, 0.0, failed_items=True)
    assert (ledger[1].redo, ledger[1].redo_from, ledger[1].left) == ("all", 900, 4)


def test_a_failed_task_goes_on_where_it_was() -> None:
    failed = TaskRow(
        id=1,
        shard=0,
        model_id=1,
        count=10,
        state="failed",
        captioned=4,
        failed=1,
        left=5,
        strikes=3,
        log_bytes=50,
    )
    ledger = TaskLedger([failed], POLICY)
    assert ledger.retry(1, 0.0, failed_items=False)
    assert (ledger[1].state, ledger[1].left, ledger[1].strikes) == ("pending", 6, 0)


def test_a_running_task_is_left_alone() -> None:
    ledger = make_ledger(1)
    ledger.start(1, "cpu:0", 0.0)
    assert not ledger.retry(1, 0.0, failed_items=False)
    assert not ledger.skip(1, 0.0, skip=True)


MOVES = st.lists(
    st.tuples(
        st.sampled_from(["start", "count", "release", "strike", "done", "retry", "skip", "back"]),
        st.integers(1, 3),
        st.integers(0, 10),
    ),
    max_size=40,
)


@given(MOVES)
def test_whatever_happens_the_sums_are_those_of_the_tasks(
    moves: list[tuple[str, int, int]],
) -> None:
    ledger = make_ledger()
    now = 0.0
    for move, task_id, amount in moves:
        now += amount
        running = ledger[task_id].state == "running"
        if move == "start" and ledger[task_id].state == "pending":
            ledger.start(task_id, "cpu:0", now)
        elif move == "count" and running:
            ledger.set_counts(
                task_id,
                LogCounts(
                    captioned=amount, failed=0, left=10 - amount, rows=amount, log_bytes=amount * 9
                ),
                now,
            )
        elif move == "release" and running:
            ledger.release(task_id, now)
        elif move == "strike" and running:
            ledger.strike(task_id, now, added_rows=amount > 5, error="x", cause="exited")
        elif move == "done" and running:
            ledger.mark_done(task_id, now, captioned=10, failed=0, digest="d")
        elif move == "retry":
            ledger.retry(task_id, now, failed_items=amount > 5)
        elif move in ("skip", "back"):
            ledger.skip(task_id, now, skip=move == "skip")
        states = [task.state for task in ledger.tasks.values()]
        assert {s: n for s, n in ledger.states.items() if n} == {s: states.count(s) for s in states}
        pending = [task for task in ledger.tasks.values() if task.state == "pending"]
        assert ledger.pending_left[1] == sum(task.left for task in pending)
        due = [task for task in pending if ledger.is_due(task, now)]
        chosen = ledger.next_task(1, now)
        assert (chosen is None) == (not due)
        if chosen is not None:
            assert chosen.shard == min(task.shard for task in due)


@pytest.mark.parametrize(
    ("demands", "loaded", "pinned", "chosen"),
    [
        ([], None, None, None),
        ([Demand(1, 0, 0), Demand(2, 0, 0)], 1, None, None),
        ([Demand(1, 5, 0), Demand(2, 9, 0)], None, None, 2),
        ([Demand(1, 5, 0), Demand(2, 9, 0)], 1, None, 1),
        ([Demand(1, 0, 0), Demand(2, 9, 3)], 1, None, 2),
        ([Demand(1, 5, 0), Demand(2, 9, 1)], None, None, 1),
        ([Demand(1, 5, 0), Demand(2, 5, 0)], None, None, 1),
        ([Demand(1, 5, 0), Demand(2, 9, 0)], None, 1, 1),
        ([Demand(1, 0, 0), Demand(2, 9, 0)], 2, 1, None),
    ],
)
def test_a_device_keeps_its_model_else_takes_the_one_with_most_left_per_worker(
    demands: list[Demand], loaded: int | None, pinned: int | None, chosen: int | None
) -> None:
    assert choose_model(demands, loaded, pinned) == chosen
