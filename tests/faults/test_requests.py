"""Pause, resume, stop and retry: soon, once, and nothing is redone that need not be."""

from __future__ import annotations

import signal
import time
from contextlib import contextmanager

import pytest

from db import requests
from db.connection import reading, writing
from engine.operations import run_control
from engine.project import caption_log
from engine.state.policy import Policy
from engine.utils.errors import Refused
from tests.faults.support.damage import logs_of
from tests.faults.support.forked import Supervising
from tests.faults.support.invariants import check_invariants
from tests.faults.support.projects import events, exported, rows, sums, tasks
from tests.support.cli import cli_ok, status
from tests.support.waiting import wait_for

SLOW = {"MISBEHAVIOUR_SECONDS": "0.05"}
SOON = 2.0
LOADED = 13.0
"""Seconds that a busy machine may add."""


@contextmanager
def soon():
    began = time.monotonic()
    yield
    assert time.monotonic() - began < SOON + LOADED


@pytest.fixture
def running(project):
    """A run by the rules that people have, and slow images."""
    with Supervising(project, "cpu:2", Policy(), MISBEHAVIOUR_SECONDS="0.2") as running:
        wait_for(lambda: rows(project) > 0)
        yield running


def still(project) -> bool:
    before = rows(project)
    time.sleep(0.5)
    return rows(project) == before


def test_pause_and_resume_act_at_once(project, running):
    with soon():
        assert cli_ok("pause", project.folder) == "paused\n"
        assert status(project.folder)["state"] == "paused"
    assert still(project)
    with soon():
        assert cli_ok("resume", project.folder) == "resumed\n"
        before = rows(project)
        wait_for(lambda: rows(project) > before)
    assert running.wait() == 0
    check_invariants(project)


def test_flags_are_set_and_turned_over_while_it_runs(project, running):
    with soon():
        assert cli_ok("flag", project.folder, "0:1", "1:0") == "flagged: 00000/1, 00001/0\n"
        turned = run_control.ask(project, "flag", places=[[0, 1], [0, 2]], flagged=None)
        assert turned == "flagged: 00000/2; no longer flagged: 00000/1"
    assert running.wait() == 0
    assert cli_ok("flag", project.folder, "1:0", "0:2") == "flagged already\n"
    check_invariants(project)


def test_stop_ends_every_process_at_once(project, running):
    with soon():
        assert cli_ok("stop", project.folder) == "stopped\n"
        assert running.wait() == 1
    assert status(project.folder)["state"] == "idle"
    check_invariants(project)


def test_stop_after_shard_starts_no_other(project):
    # A shard takes five seconds, a command on a busy machine less.
    slow = {"MISBEHAVIOUR_SECONDS": "0.25"}
    with Supervising(project, "cpu:2", Policy(), **slow) as running:
        wait_for(lambda: rows(project) > 0)
        with soon():
            assert "after the running shards" in cli_ok("stop", project.folder, "--after-shard")
            wait_for(lambda: status(project.folder)["state"] != "idle")
        assert running.wait() == 1
    done = sums(project)["done"]
    assert (done.tasks, done.captioned) == (2, 40)
    check_invariants(project)


def test_a_stop_that_nobody_came_to_does_not_end_the_next_run(project, running):
    running.freeze()
    with writing(project.database) as connection:
        number = requests.add(connection, "stop", {"after_shard": False})
        requests.add(connection, "pause")
    running.kill()
    with Supervising(project) as following:
        assert following.wait() == 0
    with reading(project.database) as connection:
        assert requests.get(connection, number).note == "the run has ended"
    check_invariants(project)


def test_a_retry_that_nobody_came_to_is_done_once(project):
    with Supervising(project) as running:
        assert running.wait() == 0
    with writing(project.database) as connection:
        requests.add(connection, "retry", {"tasks": [2]})
    with Supervising(project) as running:
        assert running.wait() == 0
    assert [len(log.read_bytes().splitlines()) for log in logs_of(project)] == [20, 40, 20]
    with Supervising(project) as running:
        assert running.wait() == 0
    assert rows(project) == 80
    check_invariants(project, redone=[1])


def test_a_request_to_a_supervisor_that_dies_is_carried_out_once(project, running, monkeypatch):
    """It was asked and is killed before it answers: who asked does it, and nobody again."""
    from threading import Timer

    running.freeze()
    Timer(0.5, running.kill).start()
    task = tasks(project)[2].id
    said = run_control.ask(project, "skip", tasks=[task])
    assert said == "skipped: 1 task"
    assert tasks(project)[2].state == "skipped"
    with reading(project.database) as connection:
        assert requests.pending(connection) == ()


def test_a_supervisor_that_does_not_answer_is_not_waited_for_for_ever(
    project, running, monkeypatch
):
    monkeypatch.setattr(run_control, "ANSWER_SECONDS", 0.5)
    running.freeze()
    with pytest.raises(Refused, match="no answer"):
        run_control.ask(project, "pause")
    running.signal(signal.SIGCONT)
    wait_for(lambda: status(project.folder)["state"] == "paused")


def test_requests_while_it_starts_and_ends_are_not_lost(project):
    """There is a moment with the lock and without a supervisor to be seen, at both ends."""
    for _ in range(5):
        with Supervising(project, **SLOW) as running:
            for _ in range(3):
                run_control.ask(project, "pause")
                run_control.ask(project, "resume")
            run_control.ask(project, "stop")
            run_control.ask(project, "retry", tasks=[1])
            running.wait()
    check_invariants(project, redone=[0])


# Retry


@pytest.fixture
def done(project, data):
    """Finished, with one bad image in each shard."""
    bad = [data / f"images/{number:06}.png" for number in (3, 23, 43)]
    good = [path.read_bytes() for path in bad]
    for path in bad:
        path.write_bytes(b"no image")
    with Supervising(project) as running:
        assert running.wait() == 0
    for path, content in zip(bad, good, strict=True):
        path.write_bytes(content)
    assert (sums(project)["done"].captioned, sums(project)["done"].failed) == (57, 3)
    return project


def finish(project) -> None:
    with Supervising(project, "cpu:2") as running:
        assert running.wait() == 0


@pytest.mark.parametrize(
    ("asked", "rows_of_shards", "left_failed"),
    [
        ([], [20, 20, 20], 3),
        (["--failed-items"], [21, 21, 21], 0),
        (["--failed-items", "--shard", 1], [20, 21, 20], 2),
        (["--shard", 0], [40, 20, 20], 2),
        (["--shard", 0, "--shard", 2], [40, 20, 40], 1),
        (["--model", "dry-run"], [40, 40, 40], 0),
        (["--model", "dry-run", "--shard", 2, "--failed-items"], [20, 20, 21], 2),
    ],
)
def test_retry_redoes_what_was_asked_and_nothing_else(
    done, undisturbed, asked, rows_of_shards, left_failed
):
    before = [log.read_bytes() for log in logs_of(done)]
    said = cli_ok("retry", done.folder, *asked).strip()
    if asked:
        assert events(done).startswith(said.partition(";")[0])
    finish(done)
    after = [log.read_bytes() for log in logs_of(done)]
    assert all(now.startswith(then) for now, then in zip(after, before, strict=True))
    assert [log.count(b"\n") for log in after] == rows_of_shards
    redone = [shard for shard, count in enumerate(rows_of_shards) if count == 40]
    check_invariants(done, redone=redone)
    total = sums(done)["done"]
    assert (total.captioned, total.failed) == (60 - left_failed, left_failed)
    if not left_failed:
        assert exported(done) == undisturbed


def test_a_retry_that_is_killed_again_and_again_replaces_exactly_what_it_asked_for(
    done, undisturbed
):
    cli_ok("retry", done.folder, "--shard", 1)
    for _ in range(3):
        with Supervising(done, MISBEHAVIOUR_SECONDS="0.02") as running:
            before = rows(done)
            wait_for(lambda: rows(done) > before or running.poll() is not None)  # noqa: B023
            running.kill()
    finish(done)
    assert [log.read_bytes().count(b"\n") for log in logs_of(done)] == [20, 40, 20]
    check_invariants(done, redone=[1])
    assert len(caption_log.read(logs_of(done)[1], 20).captions) == 20


def test_an_error_in_a_retry_replaces_no_caption(done, data):
    path = data / "images/000025.png"
    content = path.read_bytes()
    path.unlink()
    try:
        cli_ok("retry", done.folder, "--shard", 1)
        finish(done)
    finally:
        path.write_bytes(content)
    assert sums(done)["done"].captioned == 58  # 23 is good now, 25 keeps what it had
    check_invariants(done, redone=[1])


def test_retry_of_a_running_shard_is_left_to_end(project):
    with Supervising(project, "cpu:2", MISBEHAVIOUR_SECONDS="0.2") as running:
        wait_for(lambda: sum(task.state == "running" for task in tasks(project)) == 2)
        said = run_control.ask(project, "retry", tasks=[1, 3])
        assert "1 left as they are" in said
        assert running.wait() == 0
    assert rows(project) == 60
    check_invariants(project)
