"""A run that paused itself goes on when the cause has gone; one that a person paused does not."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from db.rows import DeviceRow
from engine.state.reconcile import log_path
from engine.supervisor import pause_watch
from engine.supervisor.pause_watch import can_use
from tests.support.run_in_memory import RunInMemory

NO_ROOT = pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")


def paused_at(run: RunInMemory, seconds: float, step: float = 5.0) -> list[float]:
    """Let time pass, and return when the run went on, in seconds from now; it is paused again."""
    went_on = []
    for turn in range(1, round(seconds / step) + 1):
        cause = run.state.settings.pause_cause
        run.clock.now += step
        run.supervisor.pause_watch.check()
        if not run.state.settings.paused and cause is not None:
            went_on.append(turn * step)
            run.state.pause(cause)
    return went_on


def unwritable_log(run: RunInMemory) -> Path:
    """Pause a run whose log cannot be opened: a folder is in its place."""
    run.loaded()
    log = log_path(run.state, run.task)
    log.mkdir(parents=True)
    run.dispatch()
    assert run.state.settings.pause_cause == "cannot_write"
    assert run.state.unwritable == log
    return log


def test_a_log_that_can_be_opened_again(tmp_path: Path) -> None:
    run = RunInMemory(tmp_path / "project")
    log = unwritable_log(run)
    run.wait_alive(2_000.0)
    assert run.state.settings.paused
    log.rmdir()
    run.wait_alive(run.policy.longest_delay + 50)
    assert not run.state.settings.paused
    assert run.task.state == "running"
    assert "the project can be written again: the run goes on" in run.events


def test_a_write_error_that_was_for_once(tmp_path: Path) -> None:
    run = RunInMemory(tmp_path / "project")
    worker = run.captioning()
    run.break_log(worker, "append", OSError(errno.EIO, "Input/output error"))
    run.rows(worker, 0)
    assert run.state.unwritable == log_path(run.state, run.task)
    assert paused_at(run, 30.0) == []
    run.turn(10.0)
    assert not run.state.settings.paused


def test_an_error_of_a_folder_on_the_way_to_a_log(tmp_path: Path) -> None:
    run = RunInMemory(tmp_path / "project")
    worker = run.captioning()
    log = log_path(run.state, run.task)
    error = PermissionError(errno.EACCES, "Permission denied", str(log.parent))
    run.break_log(worker, "append", error)
    run.rows(worker, 0)
    assert run.state.unwritable == log
    assert str(log.parent) in (run.state.settings.pause_reason or "")
    run.turn(1.0)
    run.turn(40.0)
    assert not run.state.settings.paused


def test_a_file_that_always_fails_is_tried_ever_less_often(tmp_path: Path) -> None:
    run = RunInMemory(tmp_path / "project")
    run.state.pause("cannot_write")
    went_on = paused_at(run, 7_200.0)
    waits = [after - before for before, after in zip([0.0, *went_on], went_on, strict=False)]
    assert waits[:5] == sorted(waits[:5])
    assert waits[-1] >= run.policy.longest_delay
    assert len(went_on) < 15


def test_room_is_looked_for_often_however_long_the_disk_was_full(tmp_path: Path) -> None:
    run = RunInMemory(tmp_path / "project")
    run.free_bytes = 0
    run.state.pause("disk_full")
    assert paused_at(run, 7_200.0) == []
    run.free_bytes = 2**40
    assert paused_at(run, 2 * run.policy.disk_retry)


def test_a_quota_that_leaves_room_on_the_disk_is_tried_ever_less_often(tmp_path: Path) -> None:
    """The free bytes of the disk do not show it; people are told when it is tried again."""
    run = RunInMemory(tmp_path / "project")
    run.supervisor.task_runner.on_write_error(OSError(errno.EDQUOT, "Disk quota exceeded"))
    assert run.state.settings.pause_cause == "disk_full"
    assert "paused: the quota on this disk is used up" in run.events
    went_on = paused_at(run, 7_200.0)
    waits = [after - before for before, after in zip([0.0, *went_on], went_on, strict=False)]
    assert waits[:5] == sorted(waits[:5])
    assert waits[-1] >= run.policy.longest_delay
    assert [text for text in run.events if "in 900 s" in text]


def test_a_folder_that_cannot_be_written_has_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Path) -> None:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    run = RunInMemory(tmp_path / "project")
    run.state.pause("disk_full")
    with monkeypatch.context() as broken:
        broken.setattr(pause_watch, "try_write", fail)
        assert paused_at(run, 600.0) == []
    assert paused_at(run, 2 * run.policy.disk_retry)


def test_after_long_work_the_waits_begin_anew(tmp_path: Path) -> None:
    run = RunInMemory(tmp_path / "project")
    run.state.pause("cannot_write")
    paused_at(run, 3_600.0)
    run.state.resume()
    run.clock.now += 10_000.0
    run.supervisor.pause_watch.check()
    run.state.pause("cannot_write")
    assert paused_at(run, 40.0)


def test_a_database_that_cannot_be_saved_keeps_the_run_paused(tmp_path: Path) -> None:
    run = RunInMemory(tmp_path / "project")
    run.state.pause("cannot_write")
    run.state.unsaved = True
    assert paused_at(run, 3_600.0) == []
    run.state.unsaved = False
    assert paused_at(run, 1_000.0)


def test_a_root_that_may_be_mounted_again_is_looked_for(tmp_path: Path) -> None:
    run = RunInMemory(tmp_path / "project")
    run.state.pause("root_lost")
    went_on = paused_at(run, 3_600.0)
    assert went_on[:3] == [35.0, 100.0, 225.0]


def test_a_gpu_that_is_found_again_rests_and_then_works(tmp_path: Path) -> None:
    run = RunInMemory(tmp_path / "project")
    monitor = run.supervisor.device_pool.monitor
    monitor.lost.add("cuda:0")
    run.turn(1.0)
    assert run.state.settings.pause_cause == "devices_lost"
    run.turn(3_600.0)
    assert run.state.settings.paused
    monitor.lost.discard("cuda:0")
    run.turn(1.0)
    assert run.supervisor.device_pool.devices["cuda:0"].state == "resting"
    run.turn(run.policy.device_rest + 1)
    run.turn(run.policy.disk_retry + 1)
    assert not run.state.settings.paused
    assert "a device is there again: the run goes on" in run.events


def test_a_node_that_comes_ends_the_pause_for_lost_devices(tmp_path: Path) -> None:
    run = RunInMemory(tmp_path / "project", devices=["a/cuda:0"])
    run.supervisor.watchdog.lose_device("a/cuda:0", "its worker cannot be killed")
    run.turn(3_600.0)
    assert run.state.settings.pause_cause == "devices_lost"
    run.launcher.rows = [*run.launcher.rows, DeviceRow(id="b/cuda:0")]
    for _ in range(2):
        run.turn(run.policy.disk_retry + 1)
    assert not run.state.settings.paused


def test_a_persons_pause_stays(tmp_path: Path) -> None:
    run = RunInMemory(tmp_path / "project")
    run.state.pause("user")
    assert paused_at(run, 86_400.0, step=600.0) == []


def test_a_disk_that_cannot_be_asked_is_not_believed_to_have_room(tmp_path: Path) -> None:
    run = RunInMemory(tmp_path / "project")

    def fail(_: Path) -> int:
        raise OSError(errno.EIO, "Input/output error")

    run.supervisor.pause_watch.free_bytes = fail
    run.state.pause("disk_full")
    assert paused_at(run, 600.0) == []


def test_what_can_be_used(tmp_path: Path) -> None:
    run = RunInMemory(tmp_path / "project")
    project = run.project
    log = project.captions / "a-0" / "00000.jsonl"
    assert can_use(project, None)
    assert can_use(project, log), "its folder is made"
    log.write_bytes(b"x")
    assert can_use(project, log)
    assert can_use(project, project.shard_file(0))
    log.unlink()
    log.symlink_to(tmp_path / "elsewhere")
    assert not can_use(project, log)
    assert not (tmp_path / "elsewhere").exists()
    log.unlink()
    log.mkdir()
    assert not can_use(project, log)
    assert sorted(path.name for path in project.folder.iterdir()) == ["captions", "shards"]


def test_nothing_is_ever_written_into_the_folder_of_the_shards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunInMemory(tmp_path / "project")
    written: list[Path] = []
    monkeypatch.setattr(pause_watch, "try_write", written.append)
    assert can_use(run.project, run.project.shard_file(0))
    assert sorted(written) == sorted([run.project.folder, run.project.captions])


@NO_ROOT
def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    run = RunInMemory(tmp_path / "project")
    run.project.captions.mkdir()
    run.project.captions.chmod(0o500)
    assert not can_use(run.project, None)
    run.project.captions.chmod(0o700)
    assert can_use(run.project, None)
