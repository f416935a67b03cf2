from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from db import projects, supervisor_writes
from db.connection import writing
from db.rows import SupervisorRow, WorkerRow
from tests.support import canned_projects as canned
from tui.viewmodel import snapshot


@pytest.fixture
def alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.process.identity.lives", lambda row: True)


def test_idle(tmp_path: Path) -> None:
    seen = snapshot.read(canned.create(tmp_path))
    assert seen.state == "idle"
    assert (seen.shards, seen.records, seen.total) == (12, 120_000, 480_000)
    assert seen.eta is None
    assert seen.sample is None


def test_a_run_that_was_killed_is_told_from_one_that_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = canned.busy(tmp_path)
    monkeypatch.setattr("engine.process.identity.lives", lambda row: False)
    assert snapshot.read(project).died
    monkeypatch.setattr("engine.process.identity.lives", lambda row: True)
    assert not snapshot.read(project).died
    assert not snapshot.read(canned.create(tmp_path / "never")).died


def test_what_is_done_again_is_not_all_of_it() -> None:
    assert snapshot.share(100, 50, 100) < 1
    assert snapshot.share(100, 0, 100) == 1
    assert snapshot.share(0, 0, 0) == 0


def test_busy(tmp_path: Path, alive: None) -> None:
    seen = snapshot.read(canned.busy(tmp_path))
    assert seen.state == "running"
    assert len(seen.devices) == len(seen.workers) == 8
    assert seen.tasks["running"] == 8
    assert seen.tasks["failed"] == 3
    llava, minigpt, otter, qwen = seen.models
    assert otter.total == 330 * canned.SIZE, "a skipped task does not count"
    assert llava.rate == pytest.approx(44.1 + 43.1)
    assert llava.eta == pytest.approx(llava.left / llava.rate)
    assert otter.rate == pytest.approx(40.1), "one of its two workers is loading"
    assert minigpt.captioned + minigpt.failed + minigpt.left == minigpt.total
    assert qwen.left == qwen.total - qwen.captioned - qwen.failed - 3 * canned.SIZE
    assert seen.devices[0].worker is not None
    assert seen.devices[0].worker.task is not None
    assert seen.devices[0].worker.task.shard == 311


def test_dead_processes_are_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.process.identity.lives", lambda row: False)
    seen = snapshot.read(canned.busy(tmp_path))
    assert seen.state == "idle"
    assert seen.workers == ()
    assert seen.supervisor is None
    assert seen.rate == 0
    assert all(device.worker is None for device in seen.devices)


def test_paused_and_finished(tmp_path: Path, alive: None) -> None:
    assert snapshot.read(canned.busy(tmp_path / "a", paused=True)).state == "paused"
    assert snapshot.read(canned.finished(tmp_path / "b")).state == "finished"


def test_reads_only_when_something_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    living = {"w0", "w1", "w2", "w3", "w4", "w5", "w6", "w7", "supervisor"}

    def lives(row: SupervisorRow | WorkerRow) -> bool:
        return getattr(row, "id", "supervisor") in living

    monkeypatch.setattr("engine.process.identity.lives", lives)
    project = canned.busy(tmp_path)
    reader = snapshot.Reader(project)
    first = reader.read()
    assert reader.read() is first
    with writing(project.database) as connection:
        projects.set_paused(connection, True, None)
    second = reader.read()
    assert second.state == "paused"
    living.discard("w3")
    assert len(reader.read().workers) == 7
    reader.close()


def test_a_change_during_the_rest_between_sums_is_seen_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = canned.create(tmp_path)
    reader = snapshot.Reader(project)
    reader.read()
    reader.next_sums = float("inf")
    with writing(project.database) as connection:
        tasks = projects.tasks(connection)
        supervisor_writes.save_tasks(connection, [(tasks[0], canned.finish(tasks[0]))])
    assert reader.read().tasks["done"] == 0
    reader.next_sums = 0.0
    assert reader.read().tasks["done"] == 1
    reader.close()


def test_a_database_that_fails_is_opened_again(tmp_path: Path) -> None:
    project = canned.create(tmp_path / "here")
    reader = snapshot.Reader(project)
    reader.read()
    reader.close()
    (tmp_path / "here").rename(tmp_path / "there")
    with pytest.raises(Exception, match="unable to open"):
        reader.read()
    (tmp_path / "there").rename(tmp_path / "here")
    assert reader.read().state == "idle"
    reader.close()


def test_status(tmp_path: Path, alive: None) -> None:
    project = canned.busy(tmp_path)
    shown = snapshot.status(snapshot.read(project))
    assert list(shown) == [
        "project", "state", "images", "shards", "tasks", "models", "workers", "supervisor"
    ]  # fmt: skip
    assert shown["tasks"].keys() == {"pending", "running", "done", "failed", "skipped"}
    assert shown["supervisor"] == {"pid": 20_900}
    assert shown["workers"][5] == {
        "device": "cuda:5",
        "pid": 20_935,
        "model": "otter",
        "state": "loading",
        "shard": 316,
        "images_per_second": 0.0,
    }
    assert shown["models"][0].keys() == {
        "name", "captioned", "failed", "total", "images_per_second", "eta_seconds"
    }  # fmt: skip


def test_needs_neither_textual_nor_a_model_stack() -> None:
    code = (
        "import sys, tui.viewmodel.snapshot\n"
        "heavy = {'torch', 'transformers', 'textual', 'sqlalchemy', 'sqlmodel'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
