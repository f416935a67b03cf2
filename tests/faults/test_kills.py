"""SIGKILL, SIGTERM and SIGINT for workers and supervisors, at any time."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from contextlib import suppress
from dataclasses import replace

import psutil
import pytest

from engine.project import caption_log
from tests.faults.support.damage import caption_logs, leave_hot_journal, tear_tails
from tests.faults.support.invariants import check_invariants, wait_until_gone
from tests.faults.support.projects import events, exported_bytes, make_project, row_count, sums
from tests.faults.support.supervisor_process import FAST_POLICY, SupervisorProcess
from tests.support.pictures import dry_run_caption, make_captions
from tests.support.waiting import wait_for

COUNT = 300
SLOW = {"MISBEHAVIOUR_SECONDS": "0.002"}
"""The environment of workers that take 2 ms per image."""


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    folder = tmp_path_factory.mktemp("many")
    make_captions(folder, COUNT)
    return folder


@pytest.fixture(scope="module")
def expected(many):
    records = json.loads((many / "captions.json").read_text())
    return [r | {"caption": dry_run_caption(many / r["image"])} for r in records]


@pytest.mark.parametrize("point", ["loading", "decoding", "generating", "sending"])
def test_a_worker_that_is_killed(project, tmp_path, undisturbed_export, point):
    (tmp_path / "state").mkdir()
    environment = {
        "MISBEHAVIOUR": f"killed:{point}",
        "MISBEHAVIOUR_STATE": str(tmp_path / "state"),
        "MISBEHAVIOUR_SECONDS": "0.02",  # both workers load before one has done everything
    }
    with SupervisorProcess(project, "cpu:2", **environment) as running:
        assert running.wait() == 0
    assert "killed by signal 9" in events(project)
    check_invariants(project)
    assert exported_bytes(project) == undisturbed_export


def test_a_supervisor_that_is_killed_between_append_and_commit(project, undisturbed_export):
    never = replace(FAST_POLICY, commit_every=3600.0)
    with SupervisorProcess(project, policy=never, MISBEHAVIOUR_SECONDS="0.02") as running:
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


def test_a_supervisor_that_is_killed_at_200_random_instants(tmp_path, many, expected):
    """Most kills come while it starts, the others while rows come in and shards and runs end."""
    rng = random.Random(5)
    finished = kills = 0
    project = make_project(tmp_path / "run0", many / "captions.json", 50)
    while kills < 200:
        with SupervisorProcess(project, **SLOW) as running:
            if rng.random() < 0.3:
                wait_for_rows(project, running)
            time.sleep(rng.uniform(0, 0.1))
            if running.poll() is None:
                running.kill()
                kills += 1
                continue
        check_finished(project, expected)
        finished += 1
        project = make_project(tmp_path / f"run{finished}", many / "captions.json", 50)
    with SupervisorProcess(project) as running:
        assert running.wait() == 0
    check_finished(project, expected)
    assert finished


def wait_for_rows(project, running) -> None:
    before = row_count(project)
    wait_for(lambda: row_count(project) > before or running.poll() is not None, every=0.01)


def check_finished(project, expected) -> None:
    check_invariants(project)
    assert json.loads(exported_bytes(project)) == expected


def test_a_worker_that_was_stopped_in_its_first_moments_dies_with_its_supervisor(project):
    """This holds even if the worker had not set up its guard process yet."""
    unleashed = 0
    for delay in (0.0, 0.0, 0.005, 0.01, 0.02, 0.05, 0.1):
        with SupervisorProcess(project) as running:
            worker = psutil.Process(wait_for(lambda: started(running), every=0.0005))
            time.sleep(delay)
            worker.suspend()
            unleashed += not worker.children()  # a guard is the first that it makes
            running.kill()
        wait_until_gone(project)
    assert unleashed
    with SupervisorProcess(project) as running:
        assert running.wait() == 0
    check_invariants(project)


def started(running) -> int | None:
    """Return the pid of a worker that runs its own program, or None as long as none does."""
    for pid in running.workers():
        with suppress(psutil.Error):
            if "engine.process.parent_death" in " ".join(psutil.Process(pid).cmdline()):
                return pid
    return None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_supervisor_that_is_told_to_end_at_any_time(tmp_path, many, expected, number):
    rng = random.Random(number)
    project = make_project(tmp_path / "run", many / "captions.json", 50)
    for instant in [0.0, 0.02, 0.05, 0.1, *(rng.uniform(0.1, 1.0) for _ in range(5))]:
        with SupervisorProcess(project, "cpu:2", **SLOW) as running:
            time.sleep(instant)
            running.signal(number)
            # 2 and -number: it had not come to its first line yet.
            assert running.wait() in (0, 1, 2, -number)
        check_invariants(project)
    with SupervisorProcess(project) as running:
        assert running.wait() == 0
    check_finished(project, expected)


def test_workers_and_supervisors_that_are_killed_by_turns(tmp_path, many, expected):
    rng = random.Random(8)
    project = make_project(tmp_path / "run", many / "captions.json", 50)
    kills = {"worker": 0, "supervisor": 0}
    while True:
        with SupervisorProcess(project, "cpu:3", **SLOW) as running:
            until = time.monotonic() + rng.uniform(0.5, 1.5)
            while time.monotonic() < until and running.poll() is None:
                time.sleep(rng.uniform(0.05, 0.3))
                if workers := running.workers():
                    signal_one(rng.choice(workers))
                    kills["worker"] += 1
            if running.poll() is None and kills["supervisor"] < 6:
                running.kill()
                kills["supervisor"] += 1
                continue
            assert running.wait() == 0
            break
    assert kills["supervisor"] and kills["worker"]
    check_finished(project, expected)


def signal_one(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def test_a_machine_that_is_cut_off(tmp_path, many, expected):
    """All processes end at once; the ends of the logs are torn or zeroed; a hot journal is left."""
    rng = random.Random(9)
    project = make_project(tmp_path / "run", many / "captions.json", 50)
    for _ in range(6):
        with SupervisorProcess(project, "cpu:2", **SLOW) as running:
            wait_for_rows(project, running)
            running.kill()
        wait_until_gone(project)
        tear_tails(project, rng)
        leave_hot_journal(project)
    with SupervisorProcess(project, "cpu:2") as running:
        assert running.wait() == 0
    check_finished(project, expected)


def test_torn_and_zeroed_tails_are_what_was_tested(tmp_path, many):
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
