"""A disk that is full while rows are appended, committed, exported; a disk that is read-only."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.project.layout import Project
from tests.faults.support import small_disk
from tests.faults.support.gate import Gate
from tests.faults.support.invariants import check_invariants
from tests.faults.support.projects import events, exported_bytes, make_project, row_count, sums
from tests.faults.support.supervisor_process import FAST_POLICY, SupervisorProcess
from tests.support.cli import cli, cli_ok
from tests.support.waiting import wait_for

SLOW = {"MISBEHAVIOUR_SECONDS": "0.02"}
"""The environment of workers that take 20 ms per image: the database is saved now and then."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    if not small_disk.mount(folder, 4096):
        pytest.skip("mounting a small disk is not allowed here")
    yield folder
    small_disk.unmount(folder)


@pytest.fixture
def on_disk(disk: Path, data: Path) -> Project:
    return make_project(disk / "run", data / "captions.json")


@pytest.mark.parametrize("leave", [0, 4096], ids=["nothing", "a page"])
def test_a_full_disk_pauses_the_run_until_there_is_room(
    disk: Path, on_disk: Project, gate: Gate, undisturbed_export: bytes, leave: int
) -> None:
    """With one page left, rows can be appended but not committed, or the other way round."""
    environment = gate.environment | SLOW
    with SupervisorProcess(on_disk, "cpu:2", FAST_POLICY, **environment) as running:
        wait_for(lambda: row_count(on_disk) > 0)
        filler = small_disk.fill(disk, leave)
        gate.open()
        wait_for(lambda: makes_no_progress(on_disk))
        assert running.poll() is None
        filler.unlink()
        assert running.wait() == 0
    assert leave or "paused: the disk is full" in events(on_disk)
    check_invariants(on_disk)
    assert row_count(on_disk) == 60
    assert exported_bytes(on_disk) == undisturbed_export


def makes_no_progress(project: Project) -> bool:
    """Return True if no row was written for a second."""
    before = row_count(project)
    time.sleep(1.0)
    return row_count(project) == before


def test_a_run_that_starts_on_a_full_disk(
    disk: Path, on_disk: Project, undisturbed_export: bytes
) -> None:
    filler = small_disk.fill(disk)
    with SupervisorProcess(on_disk) as running:
        wait_for(lambda: makes_no_progress(on_disk) or running.poll() is not None)
        filler.unlink()
        running.wait()
    with SupervisorProcess(on_disk) as running:
        assert running.wait() == 0
    check_invariants(on_disk)
    assert exported_bytes(on_disk) == undisturbed_export


def test_a_supervisor_that_is_killed_on_a_full_disk(
    disk: Path, on_disk: Project, gate: Gate, undisturbed_export: bytes
) -> None:
    environment = gate.environment | SLOW
    with SupervisorProcess(on_disk, "cpu:2", FAST_POLICY, **environment) as running:
        wait_for(lambda: row_count(on_disk) > 0)
        filler = small_disk.fill(disk, 4096)
        gate.open()
        wait_for(lambda: makes_no_progress(on_disk))
        running.kill()
    assert cli("status", on_disk.folder).returncode in (0, 2)
    filler.unlink()
    with SupervisorProcess(on_disk) as running:
        assert running.wait() == 0
    check_invariants(on_disk)
    assert exported_bytes(on_disk) == undisturbed_export


def test_an_export_onto_a_full_disk_leaves_nothing_and_keeps_the_old_one(
    project: Project, disk: Path
) -> None:
    with SupervisorProcess(project) as running:
        assert running.wait() == 0
    out = disk / "out.json"
    out.write_text("the old one")
    filler = small_disk.fill(disk, 100)
    done = cli("export", project.folder, out, "--force")
    assert done.returncode == 2
    assert "No space left" in done.stderr and "Traceback" not in done.stderr
    assert out.read_text() == "the old one"
    assert sorted(path.name for path in disk.iterdir()) == ["filler", "out.json"]
    filler.unlink()
    cli_ok("export", project.folder, out, "--force")


def test_an_export_that_is_killed_leaves_the_old_one(project: Project, tmp_path: Path) -> None:
    with SupervisorProcess(project) as running:
        assert running.wait() == 0
    out = tmp_path / "out.json"
    out.write_text("the old one")
    code = "import os, signal, tui.cli.main\n"
    code += "os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)\ntui.cli.main.main()"
    command = ["export", str(project.folder), str(out), "--force"]
    done = subprocess.run([sys.executable, "-c", code, *command])
    assert done.returncode == -9
    assert out.read_text() == "the old one"
    cli_ok("export", project.folder, out, "--force")
    assert out.read_bytes() == exported_bytes(project)


def test_a_read_only_project_can_be_looked_at_and_exported(
    disk: Path, on_disk: Project, tmp_path: Path, undisturbed_export: bytes
) -> None:
    with SupervisorProcess(on_disk) as running:
        assert running.wait() == 0
    cli_ok("retry", on_disk.folder, "--shard", 0)
    for sheared in on_disk.captions.glob("*/*.sheared-*"):
        sheared.unlink()
    assert small_disk.forbid_writing(disk)
    assert "60 of 60 images captioned" in cli_ok("status", on_disk.folder)
    cli_ok("export", on_disk.folder, tmp_path / "out.json", "--allow-partial")
    assert (tmp_path / "out.json").read_bytes() == undisturbed_export
    assert "sound: " in cli_ok("verify", on_disk.folder)
    for command in (["run", "--devices", "cpu"], ["run", "--detach"], ["retry"], ["pause"]):
        refused = cli(command[0], on_disk.folder, *command[1:])
        assert refused.returncode in (1, 2), command
        assert "Read-only file system" in refused.stderr, command


def test_a_database_that_cannot_be_written_pauses_the_run(
    disk: Path, on_disk: Project, gate: Gate, undisturbed_export: bytes
) -> None:
    environment = gate.environment | SLOW
    with SupervisorProcess(on_disk, "cpu:2", FAST_POLICY, **environment) as running:
        wait_for(lambda: row_count(on_disk) > 0)
        # A disk with open logs cannot be made read-only: the database is what cannot be written.
        assert small_disk.forbid_writing_file(on_disk.database)
        gate.open()
        wait_for(lambda: makes_no_progress(on_disk))
        assert running.poll() is None
        small_disk.unmount(on_disk.database)
        assert running.wait() == 0, "it goes on by itself"
    assert "paused: the project cannot be written" in events(on_disk)
    check_invariants(on_disk)
    assert exported_bytes(on_disk) == undisturbed_export
    assert sums(on_disk)["done"].captioned == 60
