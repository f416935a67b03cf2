"""A run is not affected when its terminal is closed, killed or lost."""

from __future__ import annotations

import os
import signal
import time

import pytest

from engine.operations import run_control
from engine.project.layout import Project
from engine.requests.kinds import Stop
from tests.faults.support.gate import Gate
from tests.faults.support.invariants import check_invariants
from tests.faults.support.projects import exported_bytes, row_count
from tests.faults.support.supervisor_process import FAST_POLICY, SupervisorProcess
from tests.faults.support.terminal import Terminal
from tests.support.cli import MAIN, MISBEHAVING, status
from tests.support.waiting import wait_for

MISBEHAVING_UI = """
from engine.operations import run_control
from engine.process.python_command import python_command
run_control.python_command = lambda module, *arguments: python_command(
    "tests.faults.support.misbehaving_supervisor", *arguments)
"""
"""Code by which the application starts supervisors with workers that may misbehave."""


def test_the_application_is_killed_or_loses_its_line_and_the_run_goes_on(
    project: Project, gate: Gate, undisturbed_export: bytes
) -> None:
    with Terminal(project.folder, code=MISBEHAVING_UI + MAIN, **gate.environment) as first:
        first.wait_for("dry-run")
        first.type("p")
        wait_for(lambda: row_count(project) > 0)
        running = run_control.live_supervisor(project)
        os.kill(first.pid, signal.SIGKILL)
        wait_for(first.gone)
    with Terminal(project.folder) as second, Terminal(project.folder) as third:
        second.wait_for("dry-run")
        third.wait_for("dry-run")
        assert run_control.live_supervisor(project).pid == running.pid
        second.hang_up()
        wait_for(second.gone)
        assert run_control.live_supervisor(project).pid == running.pid
    assert run_control.live_supervisor(project).pid == running.pid
    run_control.send_request(project, Stop())
    check_invariants(project)
    with SupervisorProcess(project) as last:
        assert last.wait() == 0
    check_invariants(project)
    assert row_count(project) == 60
    assert exported_bytes(project) == undisturbed_export


def test_a_new_application_shows_the_run_and_its_keys_act(project: Project, gate: Gate) -> None:
    with (
        SupervisorProcess(project, "cpu:2", FAST_POLICY, **gate.environment) as running,
        Terminal(project.folder) as terminal,
    ):
        terminal.wait_for("Pause")
        terminal.type("p")
        terminal.wait_for("Resume")
        assert status(project.folder)["state"] == "paused"
        terminal.type("p")
        terminal.wait_for("resumed")
        assert status(project.folder)["state"] == "running"
        terminal.type("q")
        terminal.wait_for("Stop now")
        terminal.type("K")
        assert running.wait() == 1
    check_invariants(project)


@pytest.mark.parametrize("fault", ["hang up", "ctrl+c", "ctrl+z"])
def test_run_in_a_terminal(
    project: Project, gate: Gate, undisturbed_export: bytes, fault: str
) -> None:
    with Terminal(
        "run", project.folder, "--devices", "cpu", code=MISBEHAVING + MAIN, **gate.environment
    ) as terminal:
        wait_for(lambda: row_count(project) > 0)
        match fault:
            case "hang up":
                terminal.hang_up()
                gate.open()
                wait_for(lambda: row_count(project) == 60)
            case "ctrl+c":
                terminal.type("\x03")
                wait_for(lambda: terminal.read() and terminal.gone())
                assert "Traceback" not in terminal.screen.decode()
            case "ctrl+z":
                terminal.type("\x1a")
                time.sleep(1)
                os.kill(terminal.pid, signal.SIGCONT)
                gate.open()
        wait_for(lambda: terminal.master < 0 or (terminal.read() is not None and terminal.gone()))
        wait_for(lambda: run_control.live_supervisor(project) is None)
    with SupervisorProcess(project) as running:
        assert running.wait() == 0
    check_invariants(project)
    assert row_count(project) == 60
    assert exported_bytes(project) == undisturbed_export
