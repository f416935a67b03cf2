"""SIGKILL, SIGTERM and SIGINT for workers and supervisors, at any time."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from signal import Signals
from typing import Any

import psutil
import pytest

from db import progress
from db.connection import reading
from engine.project import caption_log
from engine.project.layout import Project
from engine.state.killed_run import KILLED_TEXT
from tests.faults.support.damage import caption_logs, leave_hot_journal, tear_tails
from tests.faults.support.gate import Gate
from tests.faults.support.invariants import check_invariants, wait_until_gone
from tests.faults.support.projects import (
    events,
    exported_bytes,
    make_project,
    row_count,
    sums,
    tasks,
)
from tests.faults.support.supervisor_process import FAST_POLICY, SupervisorProcess
from tests.support.pictures import dry_run_caption, make_captions
from tests.support.waiting import wait_for
from tui.viewmodel.snapshot_reader import read_snapshot

COUNT = 300
SLOW: dict[str, Any] = {"MISBEHAVIOUR_SECONDS": "0.002"}
"""The environment of workers that take 2 ms per image."""


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many")
    make_captions(folder, COUNT)
    return folder


@pytest.fixture(scope="module")
def expected(many: Path) -> list[dict[str, str]]:
    records = json.loads((many / "captions.json").read_text())
    return [r | {"caption": dry_run_caption(many / r["image"])} for r in records]


@pytest.mark.parametrize("point", ["loading", "generating"])
def test_a_worker_that_is_killed(
    project: Project, tmp_path: Path, undisturbed_export: bytes, point: str
) -> None:
    (tmp_path / "state").mkdir(exist_ok=True)
    environment: dict[str, Any] = {
        "MISBEHAVIOUR": f"killed:{point}",
        "MISBEHAVIOUR_STATE": str(tmp_path / "state"),
    }
    if point == "loading":  # no worker does everything before the other one loads
        environment["GATE"] = str(tmp_path / "state/loading/2")
    with SupervisorProcess(project, "cpu:2", **environment) as running:
        assert running.wait() == 0
    assert "killed by signal 9" in events(project)
    check_invariants(project)
    assert exported_bytes(project) == undisturbed_export


def test_a_supervisor_that_is_killed_between_append_and_commit(
    project: Project, tmp_path: Path, undisturbed_export: bytes
) -> None:
    never = replace(FAST_POLICY, commit_every=3600.0)
    with SupervisorProcess(project, policy=never, **Gate(tmp_path, 16).environment) as running:
        wait_for(lambda: row_count(project) >= 16, every=0.01)
        running.kill()
    assert row_count(project) < 60
    (left,) = sums(project).values()
    assert (left.state, left.captioned, left.left) == ("pending", 0, 60)
    with SupervisorProcess(project) as running:
        assert running.wait() == 0
    check_invariants(project)  # no record twice in the logs
    assert row_count(project) == 60
    assert exported_bytes(project) == undisturbed_export


def test_a_supervisor_that_is_killed_at_random_instants(
    tmp_path: Path, many: Path, expected: list[dict[str, str]]
) -> None:
    kill_at_random_instants(tmp_path, many, expected, kills=12)


@pytest.mark.slow
def test_a_supervisor_that_is_killed_at_200_random_instants(
    tmp_path: Path, many: Path, expected: list[dict[str, str]]
) -> None:
    kill_at_random_instants(tmp_path, many, expected, kills=200)


def kill_at_random_instants(
    tmp_path: Path, many: Path, expected: list[dict[str, str]], kills: int
) -> None:
    """Kill supervisors so many times: most while they start, every third while rows come in.

    A project that is finished by itself is followed by a new one.
    """
    rng = random.Random(5)
    project = make_project(tmp_path / "run0", many / "captions.json", 50)
    killed = finished = 0
    while killed < kills:
        with SupervisorProcess(project, **SLOW) as running:
            if killed % 3 == 0:
                wait_for_rows(project, running)
            time.sleep(rng.uniform(0, 0.1))
            if running.poll() is None:
                running.kill()
                killed += 1
                continue
        check_finished(project, expected)
        finished += 1
        project = make_project(tmp_path / f"run{finished}", many / "captions.json", 50)
    with SupervisorProcess(project) as running:
        assert running.wait() == 0
    check_finished(project, expected)


def wait_for_rows(project: Project, running: SupervisorProcess) -> None:
    """Wait until there are more rows than now, or the supervisor has ended."""
    before = row_count(project)
    wait_for(lambda: row_count(project) > before or running.poll() is not None, every=0.005)


def check_finished(project: Project, expected: list[dict[str, str]]) -> None:
    check_invariants(project)
    assert json.loads(exported_bytes(project)) == expected


def test_a_worker_that_was_stopped_in_its_first_moments_dies_with_its_supervisor(
    project: Project, tmp_path: Path, gate: Gate
) -> None:
    """This holds even if the worker had not set up its guard process yet."""
    held_back = f"import os, time\nwhile not os.path.exists({str(gate.path)!r}): time.sleep(0.01)"
    (tmp_path / "sitecustomize.py").write_text(held_back)  # runs before any code of ours
    for delay in (None, 0.0, 0.02, 0.1):
        environment: dict[str, Any] = {"PYTHONPATH": str(tmp_path)} if delay is None else {}
        with SupervisorProcess(project, **environment) as running:
            worker = stop_a_worker(running, delay or 0.0)
            if delay is None:
                assert not worker.children()  # a guard is the first that it makes
            running.kill()
        gate.open()
        wait_until_gone(project)
    with SupervisorProcess(project) as running:
        assert running.wait() == 0
    check_invariants(project)


def stop_a_worker(running: SupervisorProcess, delay: float) -> psutil.Process:
    """Stop a worker `delay` seconds after it is seen, another one if that has ended by then."""
    while True:
        with suppress(psutil.NoSuchProcess):
            worker = psutil.Process(wait_for(lambda: started(running), every=0.0005))
            time.sleep(delay)
            worker.suspend()
            wait_for(lambda: worker.status() == "stopped", every=0.0005)  # noqa: B023
            return worker


def started(running: SupervisorProcess) -> int | None:
    """Return the pid of a worker that runs its own program, or None as long as none does."""
    for pid in running.workers():
        with suppress(psutil.Error):
            if "engine.process.parent_death" in " ".join(psutil.Process(pid).cmdline()):
                return pid
    return None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_supervisor_that_is_told_to_end_at_any_time(
    tmp_path: Path, many: Path, expected: list[dict[str, str]], number: Signals
) -> None:
    """While it starts, while workers start, and while rows come in."""
    project = make_project(tmp_path / "run", many / "captions.json", 50)
    for delay in (0.0, 0.05):
        code = tell_to_end(project, number, Gate(tmp_path, 1), delay)
        assert code in (0, 1, 2, -number)  # 2 and -number: it had not come to its first line yet
    for _ in range(2):
        assert tell_to_end(project, number, Gate(tmp_path, 16)) == 1
    assert 0 < row_count(project) < COUNT
    with SupervisorProcess(project) as running:
        assert running.wait() == 0
    check_finished(project, expected)


def tell_to_end(project: Project, number: int, gate: Gate, delay: float | None = None) -> int:
    """Start a run, send it a signal after `delay` seconds or with a row, and return its code."""
    with SupervisorProcess(project, "cpu:2", FAST_POLICY, **gate.environment) as running:
        if delay is None:
            wait_for_rows(project, running)
        else:
            time.sleep(delay)
        while running.poll() is None:  # Python may swallow a KeyboardInterrupt while it starts
            running.signal(number)
            with suppress(AssertionError):
                wait_for(lambda: running.poll() is not None, timeout=10.0)
        code = running.wait()
    check_invariants(project)
    return code


def test_workers_and_supervisors_that_are_killed_by_turns(
    tmp_path: Path, many: Path, expected: list[dict[str, str]]
) -> None:
    """The kills follow the rows, and a gate keeps most rows back until the last turn."""
    rng = random.Random(8)
    project = make_project(tmp_path / "run", many / "captions.json", 50)
    environment = Gate(tmp_path, 4).environment
    for _ in range(3):
        with SupervisorProcess(project, "cpu:3", FAST_POLICY, **environment) as running:
            wait_for_rows(project, running)
            kill_one(rng.choice(running.workers()))
            wait_for_rows(project, running)
            assert running.poll() is None
            running.kill()
        wait_for(lambda: read_snapshot(project).state == "killed")
        assert read_snapshot(project).events[0].text == KILLED_TEXT
    assert row_count(project) < COUNT
    with SupervisorProcess(project, "cpu:3") as running:
        assert running.wait() == 0
    check_finished(project, expected)
    check_times_of_kills(project)


def check_times_of_kills(project: Project) -> None:
    """Each killed run has one event, and the attempts that it left open end with it."""
    with reading(project.database) as connection:
        told = [it for it in progress.events(connection, 200) if it.text == KILLED_TEXT]
        attempts = [it for task in tasks(project) for it in progress.attempts(connection, task.id)]
    assert len(told) == 3
    killed_at = {event.created for event in told}
    lost = [attempt for attempt in attempts if attempt.outcome == "lost"]
    assert lost
    assert all(attempt.ended in {attempt.started, *killed_at} for attempt in lost)
    assert read_snapshot(project).killed_at is None


def kill_one(pid: int) -> None:
    """Kill a worker, unless it has ended."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def test_a_machine_that_is_cut_off(
    tmp_path: Path, many: Path, expected: list[dict[str, str]]
) -> None:
    """All processes end at once; the ends of the logs are torn or zeroed; a hot journal is left."""
    rng = random.Random(9)
    project = make_project(tmp_path / "run", many / "captions.json", 50)
    environment = Gate(tmp_path, 16).environment
    for _ in range(3):
        with SupervisorProcess(project, "cpu:2", FAST_POLICY, **environment) as running:
            wait_for_rows(project, running)
            running.kill()
        wait_until_gone(project)
        tear_tails(project, rng)
        leave_hot_journal(project)
    with SupervisorProcess(project, "cpu:2") as running:
        assert running.wait() == 0
    check_finished(project, expected)


def test_torn_and_zeroed_tails_are_what_was_tested(tmp_path: Path, many: Path) -> None:
    """The damage above is real: some logs end within a row, some in zeros."""
    project = make_project(tmp_path / "run", many / "captions.json", 50)
    with SupervisorProcess(project) as running:
        assert running.wait() == 0
    tear_tails(project, random.Random(9))
    ends = [
        (log.stat().st_size, caption_log.read(log, 50).good_bytes) for log in caption_logs(project)
    ]
    assert any(size > good for size, good in ends)
    assert any(b"\0" in log.read_bytes() for log in caption_logs(project))
