"""Requests to a real supervisor, whose workers are lists of messages."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from engine.protocol.messages import Cancel
from engine.requests.answers import ExcludeResult
from engine.requests.handlers import carry_out
from engine.requests.kinds import Exclude, Pause, Pin, Request, Resume, Skip, Stop, Wake
from tests.support.run_in_memory import RunInMemory


@pytest.fixture
def run(tmp_path: Path) -> RunInMemory:
    """Two shards of four records; the first is running and has one caption."""
    run = RunInMemory(tmp_path / "run", shards=2)
    run.captioning(rows=1)
    return run


def ask(run: RunInMemory, request: Request) -> str:
    return carry_out(run.state, request, run.supervisor).text


def test_named_records_of_a_running_task_are_excluded(run: RunInMemory) -> None:
    worker = run.captioning()
    answer = carry_out(run.state, Exclude(records=[(1, [0, 3])]), run.supervisor)
    assert answer.result == ExcludeResult(records=1, shards=1), "record 0 has a caption"
    assert run.sent(worker, Cancel) == [Cancel()]
    assert (run.task.state, run.task.captioned, run.task.failed, run.task.left) == (
        ("pending", 1, 1, 2)
    )
    run.dispatch()
    assert worker.attempt is not None
    assert (worker.attempt.task.id, worker.attempt.number) == (1, 2)
    assert run.outstanding(worker) == [1, 2]


def test_a_run_goes_on_when_a_log_cannot_be_synced(
    run: RunInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    worker = run.captioning()
    with monkeypatch.context() as broken:
        broken.setattr("engine.project.caption_log.os.fsync", fail)
        answer = carry_out(run.state, Exclude(records=[(2, [0])]), run.supervisor)
    assert answer.result is not None
    assert "Input/output error" in answer.result.trouble
    assert not run.state.settings.paused
    run.rows(worker, 1, 2, 3)
    assert run.task.state == "done"
    run.dispatch()
    assert worker.attempt is not None
    assert run.outstanding(worker) == [0, 1, 2, 3]


def test_all_records_of_a_running_task_are_left_alone(run: RunInMemory) -> None:
    answer = carry_out(run.state, Exclude(records=[(1, None)]), run.supervisor)
    assert answer.result == ExcludeResult(running=1)
    assert run.task.state == "running"


def test_pause_takes_the_tasks_back_and_resume_lets_them_go_on(run: RunInMemory) -> None:
    assert ask(run, Pause()) == "paused"
    assert (run.task.state, run.facts()["outcome"]) == ("pending", "withdrawn")
    run.dispatch()
    assert run.state.ledger.states["running"] == 0
    assert ask(run, Resume()) == "resumed"
    run.dispatch()
    assert run.state.ledger.states["running"] == 1


def test_resume_ends_the_waits_after_killed_loads(tmp_path: Path) -> None:
    run = RunInMemory(tmp_path / "run")
    assert ask(run, Resume()) == "it is not paused"
    run.exit(run.starting(), -9)
    run.turn(1.0)
    assert not run.supervisor.workers
    assert ask(run, Resume()) == "it is not paused; tries dry-run again"
    run.turn()
    assert run.starting().state == "loading"


def test_a_stop_after_the_running_shards_starts_no_other(run: RunInMemory) -> None:
    assert ask(run, Stop(after_shard=True)) == "stops after the running shards"
    assert not run.supervisor.is_finished()
    run.rows(run.captioning(), 1, 2, 3)
    assert run.supervisor.is_finished()


def test_a_skipped_task_is_not_started(run: RunInMemory) -> None:
    assert ask(run, Skip(tasks=[1, 2])) == "skipped: 1 task"
    run.rows(run.captioning(), 1, 2, 3)
    run.dispatch()
    assert run.state.ledger[2].state == "skipped"


def test_devices_are_pinned_and_woken(run: RunInMemory) -> None:
    pool = run.supervisor.device_pool
    assert ask(run, Pin(device="cuda:0", model="dry-run")) == "cuda:0 now works on dry-run"
    assert pool.devices["cuda:0"].pinned_model_id == 1
    pool.rest("cuda:0")
    assert ask(run, Wake(device="cuda:0")) == "cuda:0 is awake"
    assert pool.devices["cuda:0"].state == "ready"
