"""Runs and failures on a real Ray cluster of several nodes on this machine."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from engine.captioners.registry import choose
from engine.demo import checkpoint
from engine.operations.new_project import NewProject, create
from engine.operations.verify import verify
from engine.project.layout import Project
from tests.cluster.conftest import COUNT, LocalCluster
from tests.faults.support import misbehaving_engine
from tests.faults.support.invariants import check_invariants
from tests.faults.support.misbehaving_engine import processes, starts, write_faults
from tests.faults.support.projects import (
    events,
    exported_bytes,
    make_project,
    row_count,
    sums,
    tasks,
)
from tests.support.cli import MAIN, cli, cli_ok, start_cli, status
from tests.support.waiting import TIMEOUT_SECONDS, wait_for
from tui.app import MllmaugApp
from tui.dialogs.text_prompt import Ask

pytestmark = pytest.mark.xdist_group("cluster")  # one cluster for all of them

SLOWLY = """
import functools, tui.cli.headless_run
from engine.supervisor.main import supervise
tui.cli.headless_run.supervise = functools.partial(supervise, module="tests.cluster.cluster_worker")
"""
"""Code that makes `run` use the slow workers of `tests.cluster.cluster_worker`."""

DEMO_SCORER = checkpoint("score")
RUN_SECONDS = 3 * TIMEOUT_SECONDS
"""Longest duration of a run, with the interpreters that Ray starts for it."""


@contextmanager
def running(
    project: Project, nodes: LocalCluster, *options: object
) -> Iterator[subprocess.Popen[str]]:
    """Run the project on the cluster, and end the run and its workers with the block."""
    started = start_cli(
        "run", project.folder, "--cluster", nodes.address, *options, code=SLOWLY + MAIN
    )
    try:
        yield started
    finally:
        started.kill()
        started.wait()
        wait_for(lambda: not workers())


def finish(started: subprocess.Popen[str]) -> str:
    """Wait for the run, which must succeed, and return its output."""
    output = started.communicate(timeout=RUN_SECONDS)[0]
    assert started.returncode == 0, output
    return output


def workers() -> list[psutil.Process]:
    """Return the worker processes of all nodes, without their guards."""
    processes = []
    for process in psutil.process_iter(["cmdline"]):
        arguments = process.info["cmdline"] or []
        line = " ".join(arguments)
        if "-c" in arguments and "tests.cluster.cluster_worker" in line and "parent_death" in line:
            processes.append(process)
    return processes


def actors() -> list[int]:
    """Return the pids of the actors: each is the parent of a worker."""
    pids = {worker.pid for worker in workers()}
    return sorted({worker.ppid() for worker in workers()} - pids)


def attempts(project: Project) -> list[tuple[str, str]]:
    """Return device and outcome of each attempt."""
    with closing(sqlite3.connect(project.database)) as connection:
        return connection.execute("SELECT device, outcome FROM attempt").fetchall()


def devices(project: Project, outcome: str | None = None) -> set[str]:
    """Return the devices that had an attempt, of that outcome if one is given."""
    return {device for device, its_outcome in attempts(project) if outcome in (None, its_outcome)}


def strikes(project: Project) -> int:
    with closing(sqlite3.connect(project.database)) as connection:
        return connection.execute("SELECT sum(strikes) FROM task").fetchone()[0]


def wait_for_captions(project: Project, count: int) -> None:
    wait_for(lambda: row_count(project) >= count)


def test_a_run_on_every_device_exports_what_a_local_one_does(
    project: Project, nodes: LocalCluster, local: bytes
) -> None:
    every = {"a/gpu:0", "a/gpu:1", "b/gpu:0", "b/gpu:1"}
    for node in "ab":
        nodes.remove_thing(node, "leave")
    with running(project, nodes) as started:
        # On a busy machine the first would be done before the last has begun.
        wait_for(lambda: devices(project) == every)
        for node in "ab":
            nodes.restore_thing(node, "leave")
        wait_for_captions(project, 100)
        seen = status(project.folder)
        finish(started)
    assert seen["supervisor"] and {worker["device"] for worker in seen["workers"]} <= every
    assert devices(project, "done") == every
    assert "torch's cpu" in project.worker_log("a/gpu:0").read_text()
    check_invariants(project)
    assert exported_bytes(project) == local


def test_a_node_that_dies_and_one_that_joins(
    project: Project, nodes: LocalCluster, local: bytes
) -> None:
    with running(project, nodes) as started:
        wait_for_captions(project, 80)
        nodes.remove_thing("a", "leave")
        nodes.kill("b")
        nodes.add("c")
        wait_for(lambda: {"c/gpu:0", "c/gpu:1"} <= devices(project))
        nodes.restore_thing("a", "leave")
        assert "new device" in events(project)
        wait_for(lambda: "the device has left" in events(project))
        finish(started)
    # A device whose worker starts late may find nothing left to do.
    assert {"a", "c"} <= {device.partition("/")[0] for device in devices(project, "done")}
    assert devices(project, "lost") <= {"b/gpu:0", "b/gpu:1"}
    assert strikes(project) == 0
    check_invariants(project)
    assert exported_bytes(project) == local


def test_an_actor_and_a_worker_that_are_killed_are_replaced(
    project: Project, nodes: LocalCluster, local: bytes
) -> None:
    with running(project, nodes) as started:
        wait_for_captions(project, 80)
        victim = actors()[0]
        its_worker = next(worker for worker in workers() if worker.ppid() == victim)
        os.kill(victim, signal.SIGKILL)
        wait_for(lambda: not its_worker.is_running(), timeout=40)  # not by the lease of 45 s
        wait_for_captions(project, 160)
        min(workers(), key=lambda worker: worker.pid).kill()
        finish(started)
    assert strikes(project) == 0
    check_invariants(project)
    assert exported_bytes(project) == local


def test_actors_end_with_their_supervisor_and_the_next_run_goes_on(
    project: Project, nodes: LocalCluster, local: bytes
) -> None:
    with running(project, nodes) as started:
        wait_for_captions(project, 80)
        assert workers()
        started.kill()
        wait_for(lambda: not workers())
    assert status(project.folder)["workers"] == []
    before = row_count(project)
    with running(project, nodes) as started:
        finish(started)
    # Only records that were in progress are captioned again, none that was in the logs.
    assert before >= 80 and row_count(project) == COUNT
    check_invariants(project)
    assert exported_bytes(project) == local


def test_servers_that_workers_start_end_with_them(
    tmp_path: Path, data: Path, nodes: LocalCluster, local: bytes
) -> None:
    """Each device has its own. An actor is killed, and another server takes the place of its."""
    folder = write_faults(tmp_path / "tiny", ["dies"], delay_seconds=0.05)
    command = {"backend": shlex.join(misbehaving_engine.command()), "batch": "2"}
    model = choose(f"served=server:{folder}", changes=command)
    captions = [data / "captions.json"]
    new_project = NewProject(captions=captions, models=[model], shard_size=20)
    project = create(tmp_path / "run", new_project).project
    started = start_cli("run", project.folder, "--cluster", nodes.address)
    wait_for_captions(project, 80)
    parents = {pid: psutil.Process(pid).ppid() for pid in processes(folder)}
    its_worker = next(parent for parent in parents.values() if parent not in parents)
    os.kill(psutil.Process(its_worker).ppid(), signal.SIGKILL)
    finish(started)
    wait_for(lambda: not processes(folder))
    assert starts(folder) > len(devices(project, "done"))
    check_invariants(project)
    assert exported_bytes(project) == local


def test_scores_are_those_of_a_local_run_though_a_worker_is_killed(
    tmp_path: Path, data: Path, nodes: LocalCluster
) -> None:
    """Every device is amid the scores of a shard when the worker of one is killed."""
    captions = tmp_path / "some.json"
    records = json.loads((data / "captions.json").read_text())[:160]
    captions.write_text(json.dumps(records))
    models = [choose("dry-run"), choose(f"clip=score:{DEMO_SCORER}", changes={"batch": "8"})]
    here, there = (
        create(
            tmp_path / name,
            NewProject(captions=[captions], models=models, shard_size=20, image_root=data),
        ).project
        for name in ("here", "there")
    )
    cli_ok("run", here.folder, "--devices", "cpu")
    for node in "ab":
        nodes.remove_thing(node, "scores")
    with running(there, nodes) as started:
        wait_for(lambda: len(scorers_at_work(there)) == 4, timeout=RUN_SECONDS)
        victim, pid = min(scorers_at_work(there).items())
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: (victim, "died") in scoring_attempts(there))
        for node in "ab":
            nodes.restore_thing(node, "scores")
        finish(started)
    done = {device for device, outcome in scoring_attempts(there) if outcome == "done"}
    assert {device.partition("/")[0] for device in done} == {"a", "b"}
    for project in (here, there):
        assert not verify(project.folder).damage
        assert {(task.state, task.captioned, task.failed) for task in tasks(project)} == {
            ("done", 20, 0)
        }
    expected, found = logged_scores(here), logged_scores(there)
    assert len(expected) == 160 * 3, "the original, and the caption raw and sheared"
    assert {key: len(values) for key, values in found.items()} == dict.fromkeys(expected, 1)
    assert found == {key: pytest.approx(values, abs=1e-5) for key, values in expected.items()}
    assert exported_bytes(there) == exported_bytes(here)


def scorers_at_work(project: Project) -> dict[str, int]:
    """Return the pids of the workers that have a shard whose scores have begun, by device."""
    at_work = [it for it in status(project.folder)["workers"] if it["model"] == "clip"]
    begun = {log.stem for log in project.captions.glob("clip-*/?????.jsonl") if log.stat().st_size}
    return {
        it["device"]: it["pid"]
        for it in at_work
        if it["shard"] is not None and f"{it['shard']:05}" in begun
    }


def scoring_attempts(project: Project) -> list[tuple[str, str]]:
    """Return device and outcome of each attempt of the scorer."""
    with closing(sqlite3.connect(project.database)) as connection:
        return connection.execute(
            "SELECT attempt.device, outcome FROM attempt JOIN task ON task.id = task_id"
            " JOIN model ON model.id = model_id WHERE model.name = 'clip'"
        ).fetchall()


def logged_scores(project: Project) -> dict[tuple[str, int, str], list[float]]:
    """Return all scores that the logs have of each caption: shard, index and digest."""
    scores: dict[tuple[str, int, str], list[float]] = {}
    for log in project.captions.glob("clip-*/?????.jsonl"):
        for line in log.read_text().splitlines():
            row = json.loads(line)
            for digest, score in row["scores"].items():
                scores.setdefault((log.stem, row["i"], digest), []).append(score)
    return scores


def test_a_node_without_the_checkpoint_rests(
    project: Project, nodes: LocalCluster, local: bytes
) -> None:
    text = "there is no folder /nowhere/llava"
    nodes.remove_thing("b", "checkpoint")
    nodes.remove_thing("a", "leave")
    working = {"a/gpu:0", "a/gpu:1"}
    with running(project, nodes) as started:
        # On a busy machine one would be done with everything before the others have begun.
        wait_for(lambda: text in events(project) and working <= devices(project))
        nodes.restore_thing("a", "leave")
        finish(started)
    assert "the device rests" in events(project)
    assert devices(project, "done") == working
    assert sums(project)["done"].failed == 0
    check_invariants(project)
    assert exported_bytes(project) == local


def test_a_root_that_no_node_sees_pauses_the_run_and_a_stop_ends_it(
    project: Project, nodes: LocalCluster
) -> None:
    """The device on which images are missing first rests; the run pauses at the last one."""
    nodes.remove_thing("a", "images")
    nodes.remove_thing("b", "images")
    with running(project, nodes) as started:
        wait_for(lambda: status(project.folder)["state"] == "paused")
        assert "the device rests" in events(project)
        assert "stopped" in cli_ok("stop", project.folder)
        assert started.wait(timeout=TIMEOUT_SECONDS) == 1
        wait_for(lambda: not workers())
    assert sums(project)["pending"].failed == 0
    check_invariants(project)


def test_images_are_shipped_to_nodes_that_do_not_see_them(
    tmp_path: Path, nodes: LocalCluster, data: Path
) -> None:
    nodes.remove_thing("a", "images")
    nodes.remove_thing("b", "images")
    records = json.loads((data / "captions.json").read_text())[:100]
    records[3]["image"] = "images/not-there.png"
    records[50]["image"] = "../outside.png"
    (data / "broken.png").write_bytes(b"no picture")
    records[99]["image"] = "broken.png"
    captions = data / "some.json"
    captions.write_text(json.dumps(records))
    here, there = (make_project(tmp_path / name, captions) for name in ("here", "there"))
    cli_ok("run", here.folder, "--devices", "cpu")
    with running(there, nodes, "--ship-images") as started:
        finish(started)
    assert sums(there)["done"].failed == 3
    assert errors(there) == errors(here)
    check_invariants(there)
    assert exported_bytes(there) == exported_bytes(here)


def errors(project: Project) -> list[tuple[str, str]]:
    rows = [
        json.loads(line) for log in project.captions.glob("*/?????.jsonl") for line in log.open()
    ]
    return sorted((row["error"], row["detail"]) for row in rows if "error" in row)


def test_a_cluster_that_is_not_there_is_reported(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")  # as a cluster that ended leaves it behind
    done = cli("run", project.folder, "--cluster", "auto")
    assert done.returncode == 2 and "no Ray cluster" in done.stderr
    monkeypatch.delenv("RAY_ADDRESS")
    done = cli("run", project.folder, "--cluster", "127.0.0.1:1")
    assert done.returncode == 2 and "no Ray cluster" in done.stderr
    done = cli("run", project.folder, "--ship-images")
    assert done.returncode == 2 and "--cluster" in done.stderr
    done = cli("run", project.folder, "--cluster", "auto", "--devices", "0,1")
    assert done.returncode == 2 and "cpu:N" in done.stderr


async def test_the_application_starts_a_run_on_the_cluster(
    project: Project, nodes: LocalCluster, local: bytes
) -> None:
    app = MllmaugApp(project.folder)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.session.snapshot is not None)
        await pilot.press("u")
        await until(pilot, lambda: isinstance(app.screen, Ask))
        app.screen.query_one(Input).value = f"ray:{nodes.address}"
        await pilot.press("enter")
        await until(pilot, lambda: app.session.snapshot.supervisor is not None)
        assert app.session.snapshot.supervisor.devices == f"ray:{nodes.address}"
        await until(pilot, lambda: app.session.snapshot.state == "finished")
    wait_for(lambda: status(project.folder)["supervisor"] is None)
    check_invariants(project)
    assert exported_bytes(project) == local


async def until(pilot: Pilot[Path], condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        await pilot.pause(0.1)
