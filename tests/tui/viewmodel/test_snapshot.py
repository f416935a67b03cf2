"""Snapshots of canned projects, and when the reader reads again."""

from __future__ import annotations

import fcntl
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from db import progress, projects, supervisor_writes
from db.connection import reading, writing
from db.rows import SupervisorRow, WorkerRow
from engine.state.killed_run import killed_event
from tests.support import canned_projects, canned_rows
from tests.tui.keys import states
from tui.cli.output import status_lines
from tui.viewmodel.killed import killed_time
from tui.viewmodel.snapshot_reader import SnapshotReader, read_snapshot
from tui.viewmodel.status import status_dict


@pytest.fixture
def alive(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every process that a database names is alive."""
    monkeypatch.setattr("engine.process.identity.is_alive", lambda row: True)


def test_idle(tmp_path: Path) -> None:
    snapshot = read_snapshot(canned_projects.make_new_project(tmp_path))
    assert snapshot.state == "idle"
    assert (snapshot.shards, snapshot.records, snapshot.total) == (12, 120_000, 480_000)
    assert snapshot.eta is None
    assert snapshot.latest_sample is None


def test_a_killed_supervisor_differs_from_one_that_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = canned_projects.make_busy_project(tmp_path)
    monkeypatch.setattr("engine.process.identity.is_alive", lambda row: False)
    killed = read_snapshot(project)
    assert (killed.state, killed.killed_at) == ("killed", canned_rows.NOW - 1)
    assert killed.events[0] == killed_event(canned_rows.NOW - 1)
    assert killed_time(killed) == "08:53:19"
    first, second, *_ = status_lines(killed)
    assert "killed 08:53:19; " in first
    assert "no caption is lost; 'mllmaug-tui run " in second
    assert status_dict(killed)["killed_at"] == canned_rows.NOW - 1
    monkeypatch.setattr("engine.process.identity.is_alive", lambda row: True)
    assert read_snapshot(project).killed_at is None
    assert read_snapshot(canned_projects.make_new_project(tmp_path / "never")).killed_at is None


def test_share_is_below_one_while_records_are_left() -> None:
    model = states.progress(states.MODEL, 0)

    def share(captioned: int, left: int, total: int) -> float:
        return replace(model, captioned=captioned, left=left, total=total).share

    assert share(100, 50, 100) == 0.5, "captioned again"
    assert share(40, 50, 100) == 0.4, "ten are in failed tasks"
    assert share(100, 0, 100) == 1
    assert share(0, 0, 0) == 0


def test_busy(tmp_path: Path, alive: None) -> None:
    snapshot = read_snapshot(canned_projects.make_busy_project(tmp_path))
    assert snapshot.state == "running"
    assert len(snapshot.devices) == len(snapshot.workers) == 8
    assert snapshot.tasks["running"] == 8
    assert snapshot.tasks["failed"] == 3
    llava, minigpt, otter, qwen = snapshot.models
    assert otter.total == 330 * canned_rows.SHARD_SIZE, "a skipped task does not count"
    assert llava.rate == pytest.approx(44.1 + 43.1)
    times = snapshot.finish_times
    assert times.keys() == {model.row.id for model in snapshot.models}
    assert snapshot.eta == max(times.values())
    assert snapshot.eta == pytest.approx(snapshot.left / snapshot.rate)
    assert otter.rate == pytest.approx(40.1), "one of its two workers is loading"
    assert minigpt.captioned + minigpt.failed + minigpt.left == minigpt.total
    assert qwen.left == qwen.total - qwen.captioned - qwen.failed - 3 * canned_rows.SHARD_SIZE
    assert snapshot.devices[0].worker is not None
    assert snapshot.devices[0].worker.task is not None
    assert snapshot.devices[0].worker.task.shard == 311


def test_dead_processes_are_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.process.identity.is_alive", lambda row: False)
    snapshot = read_snapshot(canned_projects.make_busy_project(tmp_path))
    assert snapshot.state == "killed"
    assert snapshot.workers == ()
    assert snapshot.supervisor is None
    assert snapshot.rate == 0
    assert all(device.worker is None for device in snapshot.devices)


def test_paused_and_finished(tmp_path: Path, alive: None) -> None:
    assert (
        read_snapshot(canned_projects.make_busy_project(tmp_path / "a", paused=True)).state
        == "paused"
    )
    assert read_snapshot(canned_projects.make_finished_project(tmp_path / "b")).state == "finished"


def test_a_run_that_cannot_be_looked_up_is_elsewhere(tmp_path: Path) -> None:
    project = canned_projects.make_busy_project(tmp_path)
    with reading(project.database) as connection:
        row = progress.supervisor(connection)
    assert row is not None
    reader = SnapshotReader(project)
    project.lock.write_text(json.dumps({"host": row.host, "pid": row.pid, "boot_id": row.boot_id}))
    assert reader.read().state == "killed", "nobody holds the lock"
    holder = project.lock.open("r+b")
    fcntl.flock(holder, fcntl.LOCK_EX)
    snapshot = reader.read()
    assert (snapshot.state, snapshot.supervisor) == ("running", row)
    where = f"running elsewhere (process {row.pid} on {row.host})"
    assert next(status_lines(snapshot)).partition("; ")[0].endswith(where)
    assert status_dict(snapshot)["elsewhere"] == {"host": row.host, "pid": row.pid}
    assert reader.read() is snapshot
    holder.close()
    assert reader.read().state == "killed"
    reader.close()


def test_reads_only_when_something_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alive_ids = {"w0", "w1", "w2", "w3", "w4", "w5", "w6", "w7", "supervisor"}

    def is_alive(row: SupervisorRow | WorkerRow) -> bool:
        return getattr(row, "id", "supervisor") in alive_ids

    monkeypatch.setattr("engine.process.identity.is_alive", is_alive)
    project = canned_projects.make_busy_project(tmp_path)
    reader = SnapshotReader(project)
    first = reader.read()
    assert reader.read() is first
    with writing(project.database) as connection:
        projects.set_paused(connection, True, None, "user")
    second = reader.read()
    assert second.state == "paused"
    alive_ids.discard("w3")
    assert len(reader.read().workers) == 7
    reader.close()


def test_a_change_between_two_sums_is_read_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = canned_projects.make_new_project(tmp_path)
    reader = SnapshotReader(project)
    reader.read()
    reader.next_sums = float("inf")
    with writing(project.database) as connection:
        tasks = projects.tasks(connection)
        supervisor_writes.save_tasks(connection, [(tasks[0], canned_rows.done_task(tasks[0]))])
    assert reader.read().tasks["done"] == 0
    reader.next_sums = 0.0
    assert reader.read().tasks["done"] == 1
    reader.close()


def test_the_database_is_opened_again_after_an_error(tmp_path: Path) -> None:
    project = canned_projects.make_new_project(tmp_path / "here")
    reader = SnapshotReader(project)
    reader.read()
    reader.close()
    (tmp_path / "here").rename(tmp_path / "there")
    with pytest.raises(Exception, match="unable to open"):
        reader.read()
    (tmp_path / "there").rename(tmp_path / "here")
    assert reader.read().state == "idle"
    reader.close()


def test_status(tmp_path: Path, alive: None) -> None:
    project = canned_projects.make_busy_project(tmp_path)
    status = status_dict(read_snapshot(project))
    assert list(status) == [
        "project", "state", "images", "failed_images", "failed_images_exact", "eta_seconds",
        "shards", "tasks", "models", "workers", "devices", "host", "supervisor", "elsewhere",
        "killed_at", "pause_reason", "waits",
    ]  # fmt: skip
    assert status["tasks"].keys() == {"pending", "running", "done", "failed", "skipped"}
    assert status["supervisor"] == {"pid": 20_900}
    assert status["workers"][5] == {
        "device": "cuda:5",
        "pid": 20_935,
        "model": "otter",
        "state": "loading",
        "shard": 316,
        "images_per_second": 0.0,
        "image_wait": 0.0,
    }
    assert status["models"][0].keys() == {
        "name", "captioned", "failed", "total", "images_per_second", "eta_seconds",
    }  # fmt: skip


def test_importing_the_reader_imports_no_textual_torch_or_sqlalchemy() -> None:
    code = (
        "import sys, tui.viewmodel.snapshot_reader\n"
        "heavy = {'torch', 'transformers', 'textual', 'sqlalchemy', 'sqlmodel'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    completed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert completed.stdout.strip() == "[]"
