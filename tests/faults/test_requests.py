"""Pause, resume, stop and retry act soon and once, and redo nothing more than requested."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import Any

import pytest

from db import requests
from db.connection import reading, writing
from engine.operations import run_control
from engine.project import caption_log
from engine.project.layout import Project
from engine.requests.kinds import Flag, Pause, Resume, Retry, Skip, Stop
from engine.state.policy import Policy
from engine.utils.errors import RequestRefused
from tests.faults.support.damage import caption_logs
from tests.faults.support.gate import Gate
from tests.faults.support.invariants import check_invariants
from tests.faults.support.projects import (
    copy_project,
    events,
    exported_bytes,
    make_project,
    row_count,
    sums,
    tasks,
)
from tests.faults.support.supervisor_process import FAST_POLICY, SupervisorProcess
from tests.support.cli import cli_ok, status
from tests.support.waiting import wait_for

SLOW: dict[str, Any] = {"MISBEHAVIOUR_SECONDS": "0.05"}
"""The environment of workers that take 50 ms per image."""
SOON_SECONDS = 2.0
"""Seconds within which a request is carried out on an idle machine."""
BUSY_SECONDS = 13.0
"""Seconds that a busy machine may add."""


@contextmanager
def answers_soon() -> Iterator[None]:
    """Fail if the block takes longer than a user would wait."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < SOON_SECONDS + BUSY_SECONDS


@pytest.fixture
def running(project: Project, gate: Gate) -> Iterator[SupervisorProcess]:
    """A run with the usual policy, whose two workers wait at the gate in their first shards."""
    with SupervisorProcess(project, "cpu:2", Policy(), **gate.environment) as running:
        wait_for(lambda: [task.rows > 0 for task in tasks(project)] == [True, True, False])
        yield running


def makes_no_progress(project: Project) -> bool:
    """Return True if no row is written for half a second."""
    before = row_count(project)
    time.sleep(0.5)
    return row_count(project) == before


def test_after_a_kill_nothing_is_still_running(
    project: Project, running: SupervisorProcess
) -> None:
    running.kill()
    assert [task.state for task in tasks(project)] == ["running", "running", "pending"]
    assert cli_ok("exclude", project.folder, "--shard", 1, "--record", 19).startswith("excluded: 1")
    assert cli_ok("retry", project.folder, "--shard", 0) == "retry of 1 task\n"
    assert [task.state for task in tasks(project)] == ["pending"] * 3
    with SupervisorProcess(project) as again:
        assert again.wait() == 0
    assert sums(project)["done"].failed == 1
    check_invariants(project)


def test_pause_and_resume_act_at_once(
    project: Project, running: SupervisorProcess, gate: Gate
) -> None:
    with answers_soon():
        assert cli_ok("pause", project.folder) == "paused\n"
        assert status(project.folder)["state"] == "paused"
    gate.open()
    assert makes_no_progress(project)
    before = row_count(project)
    with answers_soon():
        assert cli_ok("resume", project.folder) == "resumed\n"
        wait_for(lambda: row_count(project) > before)
    assert running.wait() == 0
    check_invariants(project)


def test_flags_are_set_and_turned_over_while_it_runs(
    project: Project, running: SupervisorProcess, gate: Gate
) -> None:
    with answers_soon():
        assert cli_ok("flag", project.folder, "0:1", "1:0") == "flagged: 00000/1, 00001/0\n"
        turn_over = Flag(records=[(0, 1), (0, 2)], flagged=None)
        answer = run_control.send_request(project, turn_over)
        assert answer.text == "flagged: 00000/2; no longer flagged: 00000/1"
    gate.open()
    assert running.wait() == 0
    assert cli_ok("flag", project.folder, "1:0", "0:2") == "flagged already\n"
    check_invariants(project)


def test_stop_ends_every_process_at_once(project: Project, running: SupervisorProcess) -> None:
    with answers_soon():
        assert cli_ok("stop", project.folder) == "stopped\n"
        assert running.wait() == 1
    assert status(project.folder)["state"] == "idle"
    check_invariants(project)


def test_stop_after_shard_starts_no_other(
    project: Project, running: SupervisorProcess, gate: Gate
) -> None:
    with answers_soon():
        assert "after the running shards" in cli_ok("stop", project.folder, "--after-shard")
        assert status(project.folder)["state"] != "idle"
    gate.open()
    assert running.wait() == 1
    done = sums(project)["done"]
    assert (done.tasks, done.captioned) == (2, 40)
    check_invariants(project)


def test_a_stop_that_nobody_came_to_does_not_end_the_next_run(
    project: Project, running: SupervisorProcess
) -> None:
    running.freeze()
    with writing(project.database) as connection:
        number = requests.add(connection, "stop", {"after_shard": False})
        requests.add(connection, "pause")
    running.kill()
    with SupervisorProcess(project) as following:
        assert following.wait() == 0
    with reading(project.database) as connection:
        assert requests.get(connection, number).note == "the run has ended"
    check_invariants(project)


def test_a_retry_that_nobody_came_to_is_done_once(project: Project) -> None:
    with SupervisorProcess(project) as running:
        assert running.wait() == 0
    with writing(project.database) as connection:
        requests.add(connection, "retry", {"tasks": [2]})
    with SupervisorProcess(project) as running:
        assert running.wait() == 0
    assert [len(log.read_bytes().splitlines()) for log in caption_logs(project)] == [20, 40, 20]
    with SupervisorProcess(project) as running:
        assert running.wait() == 0
    assert row_count(project) == 80
    check_invariants(project, redone=[1])


def test_a_request_to_a_supervisor_that_dies_is_carried_out_once(
    project: Project, running: SupervisorProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The supervisor is killed before it answers: the sender carries the request out itself."""
    running.freeze()
    Timer(0.5, running.kill).start()
    task = tasks(project)[2].id
    answer = run_control.send_request(project, Skip(tasks=[task]))
    assert answer.text == "skipped: 1 task"
    assert tasks(project)[2].state == "skipped"
    with reading(project.database) as connection:
        assert requests.pending(connection) == ()


def test_a_supervisor_that_does_not_answer_is_not_waited_for_for_ever(
    project: Project, running: SupervisorProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_control, "ANSWER_SECONDS", 0.5)
    running.freeze()
    with pytest.raises(RequestRefused, match="no answer"):
        run_control.send_request(project, Pause())
    running.signal(signal.SIGCONT)
    wait_for(lambda: status(project.folder)["state"] == "paused")


def test_requests_while_it_starts_and_ends_are_not_lost(project: Project) -> None:
    """When a run starts and ends, the lock is held for a moment without a supervisor in sight."""
    for _ in range(3):
        with SupervisorProcess(project, **SLOW) as running:
            for _ in range(3):
                run_control.send_request(project, Pause())
                run_control.send_request(project, Resume())
            run_control.send_request(project, Stop())
            run_control.send_request(project, Retry(tasks=[1]))
            running.wait()
    check_invariants(project, redone=[0])


# Retry


@pytest.fixture(scope="module")
def done_once(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Project:
    project = make_project(tmp_path_factory.mktemp("done") / "run", data / "captions.json")
    bad = [data / f"images/{number:06}.png" for number in (3, 23, 43)]
    good = [path.read_bytes() for path in bad]
    for path in bad:
        path.write_bytes(b"no image")
    with SupervisorProcess(project) as running:
        assert running.wait() == 0
    for path, content in zip(bad, good, strict=True):
        path.write_bytes(content)
    assert (sums(project)["done"].captioned, sums(project)["done"].failed) == (57, 3)
    return project


@pytest.fixture
def done(tmp_path: Path, done_once: Project) -> Project:
    """A finished project in which one image of each shard was bad and is good now."""
    return copy_project(done_once, tmp_path / "done")


def finish(project: Project) -> None:
    with SupervisorProcess(project) as running:
        assert running.wait() == 0


@pytest.mark.parametrize(
    ("options", "rows_of_shards", "left_failed"),
    [
        ([], [20, 20, 20], 3),
        (["--failed-items"], [21, 21, 21], 0),
        (["--shard", 0, "--shard", 2], [40, 20, 40], 1),
        (["--model", "dry-run"], [40, 40, 40], 0),
        (["--model", "dry-run", "--shard", 2, "--failed-items"], [20, 20, 21], 2),
    ],
)
def test_retry_redoes_what_was_asked_and_nothing_else(
    done: Project,
    undisturbed_export: bytes,
    options: list[int | str],
    rows_of_shards: list[int],
    left_failed: int,
) -> None:
    before = [log.read_bytes() for log in caption_logs(done)]
    output = cli_ok("retry", done.folder, *options).strip()
    if options:
        assert events(done).startswith(output.partition(";")[0])
    finish(done)
    after = [log.read_bytes() for log in caption_logs(done)]
    assert all(now.startswith(then) for now, then in zip(after, before, strict=True))
    assert [log.count(b"\n") for log in after] == rows_of_shards
    redone = [shard for shard, count in enumerate(rows_of_shards) if count == 40]
    check_invariants(done, redone=redone)
    total = sums(done)["done"]
    assert (total.captioned, total.failed) == (60 - left_failed, left_failed)
    if not left_failed:
        assert exported_bytes(done) == undisturbed_export


def test_a_retry_that_is_killed_again_and_again_replaces_exactly_what_it_asked_for(
    done: Project, gate: Gate, undisturbed_export: bytes
) -> None:
    cli_ok("retry", done.folder, "--shard", 1)
    for _ in range(2):
        before = row_count(done)
        with SupervisorProcess(done, policy=FAST_POLICY, **gate.environment) as running:
            wait_for(lambda: row_count(done) > before)  # noqa: B023
            running.kill()
    assert row_count(done) < 80
    finish(done)
    assert [log.read_bytes().count(b"\n") for log in caption_logs(done)] == [20, 40, 20]
    check_invariants(done, redone=[1])
    assert len(caption_log.read(caption_logs(done)[1], 20).captions) == 20


def test_an_error_in_a_retry_replaces_no_caption(done: Project, data: Path) -> None:
    path = data / "images/000025.png"
    content = path.read_bytes()
    path.unlink()
    try:
        cli_ok("retry", done.folder, "--shard", 1)
        finish(done)
    finally:
        path.write_bytes(content)
    assert sums(done)["done"].captioned == 58  # record 23 is good now, record 25 keeps its caption
    check_invariants(done, redone=[1])


def test_retry_of_a_running_shard_is_left_to_end(
    project: Project, running: SupervisorProcess, gate: Gate
) -> None:
    answer = run_control.send_request(project, Retry(tasks=[1, 3]))
    assert "1 left as they are" in answer.text
    gate.open()
    assert running.wait() == 0
    assert row_count(project) == 60
    check_invariants(project)
