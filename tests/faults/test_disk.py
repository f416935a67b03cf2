"""A disk that is full while rows are appended, committed, exported; a disk that is read-only."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from engine.operations import run_control
from tests.faults.support import disks
from tests.faults.support.forked import Supervising
from tests.faults.support.invariants import check_invariants
from tests.faults.support.projects import events, exported, make, rows, sums
from tests.support.cli import cli, cli_ok, status
from tests.support.waiting import wait_for


@pytest.fixture
def disk(tmp_path):
    folder = tmp_path / "disk"
    if not disks.mount(folder, 4096):
        pytest.skip("mounting a small disk is not allowed here")
    yield folder
    disks.unmount(folder)


@pytest.fixture
def on_disk(disk, data):
    return make(disk / "run", data / "captions.json")


@pytest.mark.parametrize("leave", [0, 4096, 40_000], ids=["nothing", "a page", "some"])
def test_a_full_disk_pauses_the_run_until_there_is_room(disk, on_disk, undisturbed, leave):
    """With a page left rows can be appended and not committed, or the other way round."""
    with Supervising(on_disk, "cpu:2", MISBEHAVIOUR_SECONDS="0.02") as running:
        wait_for(lambda: rows(on_disk) > 0)
        filler = disks.fill(disk, leave)
        wait_for(lambda: is_still(on_disk))
        assert running.poll() is None
        filler.unlink()
        assert running.wait() == 0
    assert leave or "paused: the disk is full" in events(on_disk)
    check_invariants(on_disk)
    assert rows(on_disk) == 60
    assert exported(on_disk) == undisturbed


def is_still(project) -> bool:
    """Whether no row came in for a while: paused, or finished but for a commit."""
    before = rows(project)
    time.sleep(1.0)
    return rows(project) == before


def test_a_run_that_starts_on_a_full_disk(disk, on_disk, undisturbed):
    filler = disks.fill(disk)
    with Supervising(on_disk) as running:
        wait_for(lambda: is_still(on_disk) or running.poll() is not None)
        filler.unlink()
        running.wait()
    with Supervising(on_disk) as running:
        assert running.wait() == 0
    check_invariants(on_disk)
    assert exported(on_disk) == undisturbed


def test_a_supervisor_that_is_killed_on_a_full_disk(disk, on_disk, undisturbed):
    with Supervising(on_disk, "cpu:2", MISBEHAVIOUR_SECONDS="0.02") as running:
        wait_for(lambda: rows(on_disk) > 0)
        filler = disks.fill(disk, 4096)
        wait_for(lambda: is_still(on_disk))
        running.kill()
    assert cli("status", on_disk.folder).returncode in (0, 2)
    filler.unlink()
    with Supervising(on_disk) as running:
        assert running.wait() == 0
    check_invariants(on_disk)
    assert exported(on_disk) == undisturbed


def test_an_export_onto_a_full_disk_leaves_nothing_and_keeps_the_old_one(project, disk):
    with Supervising(project) as running:
        assert running.wait() == 0
    out = disk / "out.json"
    out.write_text("the old one")
    filler = disks.fill(disk, 100)
    done = cli("export", project.folder, out)
    assert done.returncode == 2
    assert "No space left" in done.stderr and "Traceback" not in done.stderr
    assert out.read_text() == "the old one"
    assert sorted(path.name for path in disk.iterdir()) == ["filler", "out.json"]
    filler.unlink()
    cli_ok("export", project.folder, out)


def test_an_export_that_is_killed_leaves_the_old_one(project, tmp_path):
    with Supervising(project) as running:
        assert running.wait() == 0
    out = tmp_path / "out.json"
    out.write_text("the old one")
    code = "import os, signal, tui.cli.main\n"
    code += "os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)\ntui.cli.main()"
    done = subprocess.run([sys.executable, "-c", code, "export", str(project.folder), str(out)])
    assert done.returncode == -9
    assert out.read_text() == "the old one"
    cli_ok("export", project.folder, out)
    assert out.read_bytes() == exported(project)


def test_a_read_only_project_can_be_looked_at_and_exported(disk, on_disk, tmp_path, undisturbed):
    with Supervising(on_disk) as running:
        assert running.wait() == 0
    cli_ok("retry", on_disk.folder, "--shard", 0)
    for sheared in on_disk.captions.glob("*/*.sheared-*"):
        sheared.unlink()
    assert disks.forbid_writing(disk)
    assert "60 of 60 captioned" in cli_ok("status", on_disk.folder)
    cli_ok("export", on_disk.folder, tmp_path / "out.json", "--allow-partial")
    assert (tmp_path / "out.json").read_bytes() == undisturbed
    for command in (["run", "--devices", "cpu"], ["run", "--detach"], ["retry"], ["pause"]):
        refused = cli(command[0], on_disk.folder, *command[1:])
        assert refused.returncode in (1, 2), command
        assert "Read-only file system" in refused.stderr, command


def test_a_database_that_cannot_be_written_pauses_the_run(disk, on_disk, undisturbed):
    with Supervising(on_disk, "cpu:2", MISBEHAVIOUR_SECONDS="0.02") as running:
        wait_for(lambda: rows(on_disk) > 0)
        # A disk with open logs cannot be made read-only: the database is what cannot be written.
        on_disk.database.rename(on_disk.database.with_name("away"))
        wait_for(lambda: is_still(on_disk))
        assert running.poll() is None
        on_disk.database.with_name("away").rename(on_disk.database)
        wait_for(lambda: status(on_disk.folder)["state"] == "paused")
        assert "cannot be written" in events(on_disk)
        run_control.ask(on_disk, "resume")
        assert running.wait() == 0
    check_invariants(on_disk)
    assert exported(on_disk) == undisturbed
    assert sums(on_disk)["done"].captioned == 60
