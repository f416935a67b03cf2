"""kill -9, SIGTERM and Ctrl-C on workers and supervisors, whenever it hits."""

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
from tests.faults.support.damage import leave_hot_journal, logs_of, tear_tails
from tests.faults.support.forked import HASTY, Supervising
from tests.faults.support.invariants import check_invariants, wait_until_gone
from tests.faults.support.projects import events, exported, make, rows, sums
from tests.support.pictures import dry_run_caption, make_captions
from tests.support.waiting import wait_for

COUNT = 300
SLOW = {"MISBEHAVIOUR_SECONDS": "0.002"}


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    folder = tmp_path_factory.mktemp("many")
    make_captions(folder, COUNT)
    return folder


@pytest.fixture(scope="module")
def expected(many):
    records = json.loads((many / "captions.json").read_text())
    return [r | {"caption": dry_run_caption(many / r["image"])} for r in records]


@pytest.mark.parametrize("place", ["loading", "decoding", "generating", "sending"])
def test_a_worker_that_is_killed(project, tmp_path, undisturbed, place):
    (tmp_path / "state").mkdir()
    how = {"MISBEHAVIOUR": f"killed:{place}", "MISBEHAVIOUR_STATE": str(tmp_path / "state")}
    how["MISBEHAVIOUR_SECONDS"] = "0.02"  # both load before one has done it all
    with Supervising(project, "cpu:2", **how) as running:
        assert running.wait() == 0
    assert "killed by signal 9" in events(project)
    check_invariants(project)
    assert exported(project) == undisturbed


def test_a_supervisor_that_is_killed_between_append_and_commit(project, undisturbed):
    never = replace(HASTY, commit_every=3600.0)
    with Supervising(project, policy=never, MISBEHAVIOUR_SECONDS="0.02") as running:
        wait_for(lambda: rows(project) >= 16, every=0.01)
        running.kill()
    assert rows(project) < 60
    (left,) = sums(project).values()
    assert (left.state, left.captioned, left.left) == ("pending", 0, 60)
    with Supervising(project) as running:
        assert running.wait() == 0
    check_invariants(project)  # no record twice in the logs
    assert rows(project) == 60
    assert exported(project) == undisturbed


def test_a_supervisor_that_is_killed_at_200_random_instants(tmp_path, many, expected):
    """Most while it starts up, the rest while rows come in and shards and runs end."""
    chance = random.Random(5)
    finished = kills = 0
    project = make(tmp_path / "run0", many / "captions.json", 50)
    while kills < 200:
        with Supervising(project, **SLOW) as running:
            if chance.random() < 0.3:
                wait_for_rows(project, running)
            time.sleep(chance.uniform(0, 0.1))
            if running.poll() is None:
                running.kill()
                kills += 1
                continue
        check_finished(project, expected)
        finished += 1
        project = make(tmp_path / f"run{finished}", many / "captions.json", 50)
    with Supervising(project) as running:
        assert running.wait() == 0
    check_finished(project, expected)
    assert finished


def wait_for_rows(project, running) -> None:
    before = rows(project)
    wait_for(lambda: rows(project) > before or running.poll() is not None, every=0.01)


def check_finished(project, expected) -> None:
    check_invariants(project)
    assert json.loads(exported(project)) == expected


def test_a_worker_that_was_stopped_in_its_first_moments_dies_with_its_supervisor(project):
    """Also where it had not tied its life to it yet."""
    unleashed = 0
    for delay in (0.0, 0.0, 0.005, 0.01, 0.02, 0.05, 0.1):
        with Supervising(project) as running:
            worker = psutil.Process(wait_for(lambda: started(running), every=0.0005))
            time.sleep(delay)
            worker.suspend()
            unleashed += not worker.children()  # a guard is the first that it makes
            running.kill()
        wait_until_gone(project)
    assert unleashed
    with Supervising(project) as running:
        assert running.wait() == 0
    check_invariants(project)


def started(running) -> int | None:
    """A worker as soon as it runs its own program."""
    for pid in running.workers():
        with suppress(psutil.Error):
            if "engine.process.parent_death" in " ".join(psutil.Process(pid).cmdline()):
                return pid
    return None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_supervisor_that_is_told_to_end_at_any_time(tmp_path, many, expected, number):
    chance = random.Random(number)
    project = make(tmp_path / "run", many / "captions.json", 50)
    for instant in [0.0, 0.02, 0.05, 0.1, *(chance.uniform(0.1, 1.0) for _ in range(5))]:
        with Supervising(project, "cpu:2", **SLOW) as running:
            time.sleep(instant)
            running.signal(number)
            # 2 and -15: it had not come to its first line yet.
            assert running.wait() in (0, 1, 2, -number)
        check_invariants(project)
    with Supervising(project) as running:
        assert running.wait() == 0
    check_finished(project, expected)


def test_workers_and_supervisors_that_are_killed_by_turns(tmp_path, many, expected):
    chance = random.Random(8)
    project = make(tmp_path / "run", many / "captions.json", 50)
    kills = {"worker": 0, "supervisor": 0}
    while True:
        with Supervising(project, "cpu:3", **SLOW) as running:
            until = time.monotonic() + chance.uniform(0.5, 1.5)
            while time.monotonic() < until and running.poll() is None:
                time.sleep(chance.uniform(0.05, 0.3))
                if workers := running.workers():
                    signal_one(chance.choice(workers))
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
    """Everything gone at once, the ends of the logs torn or zeroed, a hot journal left behind."""
    chance = random.Random(9)
    project = make(tmp_path / "run", many / "captions.json", 50)
    for _ in range(6):
        with Supervising(project, "cpu:2", **SLOW) as running:
            wait_for_rows(project, running)
            running.kill()
        wait_until_gone(project)
        tear_tails(project, chance)
        leave_hot_journal(project)
    with Supervising(project, "cpu:2") as running:
        assert running.wait() == 0
    check_finished(project, expected)


def test_torn_and_zeroed_tails_are_what_was_tested(tmp_path, many):
    """The damage above is real: some logs end in the middle of a row, some in zeros."""
    project = make(tmp_path / "run", many / "captions.json", 50)
    with Supervising(project) as running:
        assert running.wait() == 0
    tear_tails(project, random.Random(9))
    ends = [(log.stat().st_size, caption_log.read(log, 50).good_bytes) for log in logs_of(project)]
    assert any(size > good for size, good in ends)
    assert any(b"\0" in log.read_bytes() for log in logs_of(project))
