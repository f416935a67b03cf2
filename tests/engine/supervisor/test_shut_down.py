"""The end of a run: what was captioned is on the disk, whatever the workers do."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from engine.protocol.messages import ToWorker
from engine.utils.errors import BadInput
from tests.support.run_in_memory import RunInMemory


def test_the_rows_of_a_worker_that_outlives_the_run_are_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunInMemory(tmp_path)

    def receive(timeout: float) -> list[tuple[object, object]]:
        run.clock.sleep(timeout)
        return []

    monkeypatch.setattr(run.launcher, "receive", receive)
    worker = run.captioning()
    run.rows(worker, 0)
    attempt = worker.attempt
    assert attempt is not None and attempt.log.unsynced == 1
    run.supervisor.shut_down()  # nothing ever comes of the worker
    assert worker.handle.id in run.supervisor.workers
    assert attempt.log.unsynced == 0


def test_nothing_is_sent_to_a_worker_whose_pipes_are_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunInMemory(tmp_path)
    worker = run.captioning()
    run.rows(worker, 0)
    run.break_log(worker, "sync", OSError(errno.EIO, "Input/output error"))
    happened: list[str] = []

    def receive(timeout: float) -> list[tuple[object, object]]:
        run.clock.sleep(timeout)
        return []

    def send(message: ToWorker) -> None:
        happened.append("sent")

    monkeypatch.setattr(worker.handle, "send", send)
    monkeypatch.setattr(run.launcher, "close", lambda: happened.append("closed"))
    monkeypatch.setattr(run.launcher, "receive", receive)
    run.supervisor.shut_down()
    assert happened == ["sent", "closed"]


def test_a_run_that_lost_its_lock_in_its_last_turn_does_not_say_that_it_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunInMemory(tmp_path)
    monkeypatch.setattr(run.supervisor, "prepare", lambda: None)
    monkeypatch.setattr(run.supervisor, "is_finished", lambda: True)
    with pytest.raises(BadInput, match="its lock removed"):
        run.supervisor.run()
