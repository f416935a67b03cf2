"""A damaged log that is set aside: it does not come back after a power cut."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.project.caption_log import CaptionLog
from engine.state import reconcile
from engine.state.damaged_log import check_log
from engine.state.reconcile import log_path
from tests.support.run_in_memory import RunInMemory, caption

COUNT = 4


@pytest.fixture
def run(tmp_path: Path) -> RunInMemory:
    """A run with a finished task."""
    run = RunInMemory(tmp_path / "project", records=COUNT)
    log = CaptionLog(log_path(run.state, run.task), COUNT)
    log.append([caption(i) for i in range(COUNT)])
    log.close()
    reconcile.catch_up(run.state, run.task, log.path, run.clock.time())
    assert run.task.state == "done"
    return run


def states_at_syncs(run: RunInMemory, monkeypatch: pytest.MonkeyPatch) -> dict[int, str]:
    """Return the state of the task at the last sync of each file and folder, by inode, filled
    later."""
    states: dict[int, str] = {}

    def note(handle: int) -> None:
        states[os.fstat(handle).st_ino] = run.task.state

    monkeypatch.setattr(os, "fsync", note)
    return states


@pytest.mark.parametrize("already_gone", [False, True], ids=["damaged", "already set aside"])
def test_its_name_is_free_for_good_before_its_task_begins_anew(
    run: RunInMemory, monkeypatch: pytest.MonkeyPatch, already_gone: bool
) -> None:
    path = log_path(run.state, run.task)
    path.write_bytes(path.read_bytes().replace(b"a", b"b"))
    if already_gone:
        path.rename(path.with_name("aside"))
    states = states_at_syncs(run, monkeypatch)
    check_log(run.state, run.task, path, run.clock.time())
    assert run.task.state == "pending"
    assert states[path.parent.stat().st_ino] == "done"


def test_what_was_appended_is_cut_for_good_and_its_copy_is_there_for_good(
    run: RunInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = log_path(run.state, run.task)
    whole = path.read_bytes()
    path.write_bytes(whole + b"more\n")
    states = states_at_syncs(run, monkeypatch)
    check_log(run.state, run.task, path, run.clock.time())
    assert path.read_bytes() == whole
    assert {path.stat().st_ino, path.parent.stat().st_ino} <= states.keys()


@pytest.mark.parametrize("damaged", [False, True], ids=["appended to", "damaged"])
def test_what_a_killed_process_left_of_a_copy_is_removed(run: RunInMemory, damaged: bool) -> None:
    path = log_path(run.state, run.task)
    left = path.with_name(f"{path.name}.damaged-20260101-000000.0123abcd.part")
    others = [
        path.with_name(f"{path.name}.damaged-20260101-000000"),
        path.with_name("00001.jsonl.damaged-20260101-000000.0123abcd.part"),
    ]
    for file in (left, *others):
        file.touch()
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"a", b"b") if damaged else whole + b"more\n")
    check_log(run.state, run.task, path, run.clock.time())
    assert not left.exists()
    assert all(file.exists() for file in others)


def test_a_database_that_cannot_be_read_pauses_the_run(run: RunInMemory) -> None:
    path = log_path(run.state, run.task)
    path.write_bytes(path.read_bytes().replace(b"a", b"b"))
    ledger = run.state.ledger
    ledger.change(run.task.id, run.clock.time(), state="pending", failed=1)
    ledger.last_saved.clear()
    run.state.failures.clear()  # as after a commit: only the database has them now
    run.loaded()
    run.dispatch()
    assert run.state.settings.pause_cause == "cannot_write"
    assert run.task.state == "pending"
    assert run.task.digest is not None
