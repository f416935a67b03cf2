"""kill -9 on workers and supervisors, whenever it hits."""

from __future__ import annotations

import os
import random
import signal
import time

import psutil
import pytest

from engine.project import Project
from tests.faults.invariants import check_invariants
from tests.support import check_dry_run_export, cli_ok, make_captions, start

COUNT = 20_000


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    make_captions(folder, COUNT)
    return folder


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("undisturbed")
    cli_ok("new", folder / "run", data / "captions.json", "--model", "dry-run")
    cli_ok("run", folder / "run", "--devices", "cpu:2")
    cli_ok("export", folder / "run", folder / "out.json")
    names = [f"images/{number:06}.png" for number in range(COUNT)]
    check_dry_run_export(folder / "out.json", data, names)
    return (folder / "out.json").read_bytes()


@pytest.mark.parametrize("seed", [1, 2])
def test_kills_in_the_middle_change_nothing(tmp_path, data, undisturbed, seed):
    chance = random.Random(seed)
    project = tmp_path / "run"
    cli_ok("new", project, data / "captions.json", "--model", "dry-run", "--shard-size", 1000)
    kills = {"worker": 0, "supervisor": 0}
    while True:
        with start("run", project, "--devices", "cpu:3") as running:
            until = time.monotonic() + chance.uniform(0.6, 2.0)
            while time.monotonic() < until and running.poll() is None:
                time.sleep(chance.uniform(0.05, 0.3))
                kills["worker"] += kill_a_worker(running.pid, chance)
            if running.poll() is not None or kills["supervisor"] == 6:
                assert running.wait(timeout=60) == 0
                break
            os.kill(running.pid, signal.SIGKILL)
            kills["supervisor"] += 1
    assert kills["supervisor"] and kills["worker"]
    cli_ok("export", project, tmp_path / "out.json")
    assert (tmp_path / "out.json").read_bytes() == undisturbed
    check_invariants(Project.open(project))


def kill_a_worker(supervisor: int, chance: random.Random) -> int:
    try:
        workers = psutil.Process(supervisor).children()
        if not workers:
            return 0
        os.kill(chance.choice(workers).pid, signal.SIGKILL)
    except (psutil.Error, ProcessLookupError):
        return 0
    return 1
