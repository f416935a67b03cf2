"""Servers that workers start: whatever becomes of them, no record and no process is lost."""

from __future__ import annotations

import json
import os
import random
import shlex
import shutil
import signal
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import psutil
import pytest

from engine.captioners.registry import choose
from engine.operations.new_project import NewProject, create
from engine.project.layout import Project
from engine.supervisor import worker_state
from engine.utils.user_config import state_folder
from tests.faults.support import misbehaving_engine
from tests.faults.support.invariants import check_invariants
from tests.faults.support.misbehaving_engine import FAULTS, processes, starts, write_faults
from tests.faults.support.projects import events, exported_bytes, sums
from tests.faults.support.served_projects import WORKER, failure_kinds, models, run
from tests.faults.support.supervisor_process import FAST_POLICY, SupervisorProcess
from tests.support.cli import cli, cli_ok
from tests.support.waiting import wait_for

POLICY = replace(FAST_POLICY, load_failures=100)


def make(tmp_path: Path, data: Path, folder: Path, **changes: str) -> Project:
    """Make a project of three shards whose model is served by a stand-in."""
    settings = {"backend": shlex.join(misbehaving_engine.command()), "batch": "8"} | changes
    model = choose(f"served=server:{folder}", changes=settings)
    new_project = NewProject(captions=[data / "captions.json"], models=[model], shard_size=20)
    return create(tmp_path / "run", new_project).project


def check_none_is_left(folder: Path) -> None:
    wait_for(lambda: not processes(folder))


def test_a_server_that_misbehaves_in_every_way_fails_no_record(
    tmp_path: Path, data: Path, undisturbed_export: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each start has another fault, and leaves children. A load that fails comes in between."""
    monkeypatch.setenv("REQUEST_SECONDS", "2")
    monkeypatch.setattr(worker_state, "STEP_SECONDS", 0.0)
    folder = write_faults(tmp_path / "tiny", FAULTS)
    project = make(tmp_path, data, folder)
    # Faults follow each other so fast that they may hit one record again and again, and on a busy
    # machine a server that is well may answer too late, too.
    assert run(project, policy=replace(POLICY, server_deaths=1000))
    check_none_is_left(folder)
    assert starts(folder) > len(FAULTS)
    assert exported_bytes(project) == undisturbed_export
    text = events(project)
    assert "cannot load: the server has ended (exit code 1): no such checkpoint" in text
    assert "loading: loadingloading" in text
    assert "the server has ended (signal 9)" in text
    assert "the server stopped answering while it was asked about" in text
    (model,) = models(project)
    assert (model.unavailable, model.blocked, model.load_failures) == (None, None, 0)
    log = project.worker_log("cpu:0").read_text()
    assert "with the key ***" in log
    assert len(log) < 2**20


def test_an_image_that_ends_its_server_costs_one_record(
    tmp_path: Path, data: Path, undisturbed_export: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two devices have a server each, and the suspects of one need not wait for the other.

    A proxy that leads nowhere is not asked.
    """
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    deadly = (data / "images/000025.png").read_bytes()
    folder = write_faults(tmp_path / "tiny", deadly=deadly)
    project = make(tmp_path, data, folder)
    assert run(project, "cpu:2", POLICY)
    check_none_is_left(folder)
    assert failure_kinds(project) == {25: "poison"}
    assert "record 5 alone (images/000025.png), 2 of 3 times" in events(project)
    records = json.loads(undisturbed_export)
    rest = [record for record in records if record["image"] != "images/000025.png"]
    assert json.loads(exported_bytes(project)) == rest


def test_a_server_that_never_starts_blocks_its_model(tmp_path: Path, data: Path) -> None:
    folder = write_faults(tmp_path / "tiny", ["exits"] * 100)
    project = make(tmp_path, data, folder)
    assert run(project, policy=FAST_POLICY)
    (model,) = models(project)
    assert model.blocked == "the server has ended (exit code 1): no such checkpoint"
    assert (sums(project)["failed"].tasks, starts(folder)) == (3, 3)
    check_none_is_left(folder)


def test_the_command_of_somebody_else_does_not_run(tmp_path: Path, data: Path) -> None:
    folder = write_faults(tmp_path / "tiny")
    project = make(tmp_path, data, folder)
    shutil.rmtree(state_folder() / "commands")  # as if somebody else had made the project
    for command in ("run", "pilot"):
        refused = cli(command, project.folder, "--devices", "cpu")
        assert refused.returncode == 2
        assert "served would run" in refused.stderr and "--allow-commands" in refused.stderr
    cli_ok("set", project.folder, "served", "batch=4")
    assert cli("run", project.folder, "--devices", "cpu").returncode == 2
    assert starts(folder) == 0
    output = cli_ok("run", project.folder, "--devices", "cpu", "--allow-commands")
    assert "60 of 60 images captioned" in output
    check_none_is_left(folder)


def test_no_kill_leaves_a_process_or_loses_a_record(
    tmp_path: Path, data: Path, undisturbed_export: bytes
) -> None:
    """Supervisors, workers, keepers and servers are killed at every stage, one after the other."""
    rng = random.Random(5)
    folder = write_faults(tmp_path / "tiny", delay_seconds=0.03)
    project = make(tmp_path, data, folder, batch="1")
    for kind in ("supervisor", "worker", "keeper", "server"):
        before = starts(folder)
        with SupervisorProcess(project, policy=POLICY, module=WORKER) as running:
            wait_for(partial(has_started, folder, before + 1))
            time.sleep(rng.random() / 2)  # it may be starting, or captioning
            kill_one(kind, running, folder)
            if kind != "supervisor":
                wait_for(partial(has_started, folder, before + 2, running))
        check_none_is_left(folder)
    assert run(project, policy=POLICY)
    check_none_is_left(folder)
    check_invariants(project)
    assert exported_bytes(project) == undisturbed_export


def has_started(folder: Path, servers: int, running: SupervisorProcess | None = None) -> bool:
    """Return True if so many servers were started so far, or the run has finished."""
    return starts(folder) >= servers or (running is not None and running.poll() == 0)


def kill_one(kind: str, running: SupervisorProcess, folder: Path) -> None:
    """Kill a process of a run, if it is there now."""
    found = {pid: psutil.Process(pid) for pid in processes(folder)}
    keepers = [pid for pid, it in found.items() if "keeper.py" in " ".join(it.cmdline())]
    victims = {
        "supervisor": [running.pid],
        "worker": running.workers(),
        "keeper": keepers,
        "server": [pid for pid in found if pid not in keepers],
    }[kind]
    for pid in victims[:1]:
        os.kill(pid, signal.SIGKILL)
