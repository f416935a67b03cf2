"""The end of a run: what was captioned is on the disk, whatever the workers do."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from engine.protocol.messages import ToWorker
from engine.utils.errors import BadInput
from engine.utils.user_config import config_file
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


@pytest.mark.parametrize(
    ("tasks", "broken", "stopping", "told"),
    [
        ("done", False, None, "finished"),
        ("done", True, "now", "finished"),
        ("pending", False, "now", "stopped"),
        ("pending", False, "after_shard", "stopped"),
        ("pending", True, None, "killed"),
    ],
)
def test_how_a_run_ends_is_told(
    tmp_path: Path, tasks: str, broken: bool, stopping: str | None, told: str
) -> None:
    run = RunInMemory(tmp_path)
    if tasks == "done":
        for task_id in run.state.ledger.tasks:
            run.state.ledger.skip(task_id, run.clock.time(), True)
    run.supervisor.broken, run.supervisor.stopping = broken, stopping
    run.supervisor.tell_end()
    assert [notice.kind for notice in run.state.notices] == [told]


def test_a_blocked_model_is_told(tmp_path: Path) -> None:
    run = RunInMemory(tmp_path)
    run.supervisor.model_loader.block(run.model, "checkpoint", "no weights in /models/x")
    (notice,) = run.state.notices
    assert (notice.kind, notice.model, notice.cause) == (
        "model_blocked",
        run.model.name,
        "checkpoint",
    )
    assert notice.text == "blocked: no weights in /models/x"


def test_hooks_that_make_no_sense_are_told_when_a_run_starts(tmp_path: Path) -> None:
    run = RunInMemory(tmp_path)
    config_file().parent.mkdir(parents=True)
    config_file().write_text('[on_event.phone]\ncommand = "notify-send"')
    run.supervisor.check_hooks()
    (event,) = run.state.events
    assert event.text.startswith("no hook is called: ")
    assert "on_event.phone: command must be a list of texts" in event.text
