"""A project that is moved, copied or replaced; a clock that is set; a second supervisor."""

from __future__ import annotations

import shutil
import sqlite3
import time
from contextlib import closing
from dataclasses import replace

import pytest

from engine.operations import run_control
from engine.project.layout import Project
from engine.project.opening import open_project
from engine.requests.kinds import Pause, Resume
from tests.faults.support.gate import Gate
from tests.faults.support.invariants import check_invariants
from tests.faults.support.projects import events, exported_bytes, row_count, sums
from tests.faults.support.supervisor_process import FAST_POLICY, SupervisorProcess
from tests.support.cli import MAIN, MISBEHAVING, cli, cli_ok, status
from tests.support.forked import ForkedCommand
from tests.support.waiting import TIMEOUT_SECONDS, wait_for


def finish(project: Project) -> None:
    with SupervisorProcess(project) as running:
        assert running.wait() == 0


def test_a_project_that_is_moved_while_it_runs(
    project: Project, gate: Gate, undisturbed_export: bytes
) -> None:
    with SupervisorProcess(project, "cpu:2", FAST_POLICY, **gate.environment) as running:
        wait_for(lambda: row_count(project) > 0)
        moved = Project(project.folder.with_name("else where [x]"))
        project.folder.rename(moved.folder)
        project.folder.mkdir()  # something else lies there now
        assert running.wait() == 2
    assert list(project.folder.iterdir()) == []
    assert "was moved" in moved.supervisor_log.read_text()
    finish(moved)
    check_invariants(moved)
    assert row_count(moved) == 60  # nothing was captioned twice
    assert exported_bytes(moved) == undisturbed_export


def test_a_lock_that_is_removed_ends_the_run_that_held_it(
    project: Project, gate: Gate, undisturbed_export: bytes
) -> None:
    with SupervisorProcess(project, policy=FAST_POLICY, **gate.environment) as running:
        wait_for(lambda: row_count(project) > 0)
        project.lock.unlink()
        assert running.wait() == 2
    finish(project)
    check_invariants(project)
    assert exported_bytes(project) == undisturbed_export


def test_a_manifest_that_is_removed_is_written_again(project: Project, gate: Gate) -> None:
    with SupervisorProcess(project, policy=FAST_POLICY, **gate.environment) as running:
        wait_for(lambda: row_count(project) > 0)
        before = project.manifest.read_bytes()
        project.manifest.unlink()
        wait_for(project.manifest.exists)
        assert project.manifest.read_bytes() == before
        gate.open()
        assert running.wait() == 0


def test_a_database_that_is_removed_ends_the_run_and_is_made_again(
    project: Project, gate: Gate, undisturbed_export: bytes
) -> None:
    with SupervisorProcess(project, policy=FAST_POLICY, **gate.environment) as running:
        wait_for(lambda: row_count(project) > 0)
        project.database.unlink()
        assert running.wait() == 2
    assert "project.db was removed" in project.supervisor_log.read_text()
    assert "the next run counts those in the caption logs" in cli_ok("status", project.folder)
    finish(project)
    check_invariants(project)
    assert exported_bytes(project) == undisturbed_export
    assert "caption logs" not in cli_ok("status", project.folder)


def test_a_copy_made_while_it_ran_is_a_project_of_its_own(
    project: Project, gate: Gate, undisturbed_export: bytes
) -> None:
    with SupervisorProcess(project, policy=FAST_POLICY, **gate.environment) as running:
        wait_for(lambda: row_count(project) > 0)
        wait_for(lambda: run_control.live_supervisor(project) is not None)
        shutil.copytree(project.folder, project.folder.with_name("copy"))
        copy = open_project(project.folder.with_name("copy"))
        assert run_control.live_supervisor(copy) is None
        assert run_control.send_request(copy, Pause()).text == "paused"
        gate.open()
        assert running.wait() == 0
    run_control.send_request(copy, Resume())
    finish(copy)
    for whole in (project, copy):
        check_invariants(whole)
        assert exported_bytes(whole) == undisturbed_export


def test_a_second_supervisor_is_refused_and_a_second_run_attaches(
    project: Project, gate: Gate, undisturbed_export: bytes
) -> None:
    with SupervisorProcess(project, policy=FAST_POLICY, **gate.environment) as running:
        wait_for(lambda: run_control.live_supervisor(project) is not None)
        with SupervisorProcess(project) as second:
            assert second.wait() == 2
        assert f"process {running.pid} on " in project.supervisor_log.read_text()
        run_control.send_request(project, Pause())
        with ForkedCommand("run", project.folder, "--devices", "cpu") as attached:
            assert "attached" in attached.stdout.readline()
            gate.open()
            cli_ok("resume", project.folder)
            output, _ = attached.communicate(timeout=TIMEOUT_SECONDS)
            assert attached.returncode == 0, output
        assert running.wait() == 0
    check_invariants(project)
    assert exported_bytes(project) == undisturbed_export


def test_runs_that_start_at_once_do_the_work_once(
    project: Project, undisturbed_export: bytes
) -> None:
    starting = [ForkedCommand("run", project.folder, "--devices", "cpu") for _ in range(2)]
    for process in starting:
        output, _ = process.communicate(timeout=TIMEOUT_SECONDS)
        assert process.returncode == 0, output
    check_invariants(project)
    assert row_count(project) == 60
    assert exported_bytes(project) == undisturbed_export


def set_clock(project: Project, seconds: float) -> None:
    """Change the times of tasks as if a clock that was `seconds` ahead had written them."""
    with closing(sqlite3.connect(project.database)) as connection:
        connection.execute(
            f"UPDATE task SET not_before = not_before + {seconds}, started = {seconds}"
        )
        connection.commit()


CLOCK = """
import threading, time
true, shift = time.time, 0.0
def shifted(): return true() + shift
time.time = shifted
def turn():
    global shift
    while True:
        for shift in (-7200.0, 7200.0, 1e9, -1.7e9, 0.0):
            time.sleep(0.1)
threading.Thread(target=turn, daemon=True).start()
"""
"""Code that shifts `time.time` by another number of seconds every tenth of a second."""


def test_a_clock_that_is_set_back_and_forth_while_it_runs(
    project: Project, undisturbed_export: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MISBEHAVIOUR", "slow")
    code = CLOCK + MISBEHAVING + MAIN
    with ForkedCommand("run", project.folder, "--devices", "cpu:2", code=code) as running:
        output, _ = running.communicate(timeout=TIMEOUT_SECONDS)
        assert running.returncode == 0, output
    check_invariants(project)
    assert exported_bytes(project) == undisturbed_export


def test_a_clock_that_was_set_back_between_two_runs(
    project: Project, undisturbed_export: bytes
) -> None:
    delays = replace(FAST_POLICY, strikes=9, first_delay=2.0, longest_delay=2.0)
    with SupervisorProcess(project, policy=delays, MISBEHAVIOUR="always_dies") as running:
        wait_for(lambda: "the device rests" in events(project))
        running.kill()
    set_clock(project, 10 * 365 * 86400)
    began = time.monotonic()
    finish(project)
    assert time.monotonic() - began < 30
    assert sums(project)["done"].captioned == 60
    check_invariants(project)
    assert exported_bytes(project) == undisturbed_export


def test_reading_is_allowed_while_it_runs(project: Project, gate: Gate) -> None:
    with SupervisorProcess(project, policy=FAST_POLICY, **gate.environment) as running:
        wait_for(lambda: row_count(project) > 0)
        assert cli("status", project.folder).returncode == 0
        assert status(project.folder)["supervisor"] == {"pid": running.pid}
        assert cli("export", project.folder, project.folder.parent / "x.json").returncode == 1
        gate.open()
        assert running.wait() == 0
