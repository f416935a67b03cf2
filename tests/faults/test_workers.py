"""Workers that crash, hang, send wrong messages or run out of memory, as real processes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest

from db import progress, supervisor_writes
from db.connection import reading
from engine.project.layout import Project
from engine.state.policy import Policy
from engine.supervisor.main import supervise
from engine.utils.log_rotation import rotated_log
from tests.faults.support.gate import Gate
from tests.faults.support.invariants import check_invariants, leftover_processes, wait_until_gone
from tests.faults.support.projects import events, exported_bytes, row_count, sums
from tests.faults.support.supervisor_process import (
    FAST_POLICY,
    HANG_POLICY,
    SupervisorProcess,
)
from tests.support.cli import cli_ok
from tests.support.waiting import wait_for

COUNT = 60


@pytest.fixture
def run_misbehaving(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, project: Project
) -> Callable[..., bool]:
    """A function that runs the project with workers that misbehave in the named way."""

    def run(how: str, devices: str = "cpu", policy: Policy = FAST_POLICY) -> bool:
        (tmp_path / "state").mkdir(exist_ok=True)
        monkeypatch.setenv("MISBEHAVIOUR", how)
        monkeypatch.setenv("MISBEHAVIOUR_STATE", str(tmp_path / "state"))
        finished = supervise(
            project, devices, policy, module="tests.faults.support.misbehaving_worker"
        )
        check_invariants(project)
        return finished

    return run


@pytest.mark.parametrize(
    ("how", "text"),
    [
        ("prints", "finished"),
        ("protocol_error", "what it wrote is not a message"),
        ("flood", "it wrote "),
        ("half", "exit code 9"),
        ("hang", "no caption for "),
        ("stops", "no caption for "),
        ("child", "exit code 9"),
    ],
)
def test_nothing_is_lost_doubled_or_misplaced(
    project: Project,
    run_misbehaving: Callable[..., bool],
    undisturbed_export: bytes,
    how: str,
    text: str,
) -> None:
    policy = HANG_POLICY if how in ("hang", "stops") else FAST_POLICY
    assert run_misbehaving(how, "cpu:2", policy)
    assert text in events(project)
    assert exported_bytes(project) == undisturbed_export
    if how == "prints":
        logs = "".join(project.worker_log(f"cpu:{n}").read_text() for n in range(2))
        assert "a library that prints\n" in logs
        assert "and one that writes to file descriptor 1\n" in logs


@pytest.mark.slow
def test_a_model_that_is_slow_goes_on_and_one_that_is_stuck_ends(
    project: Project, run_misbehaving: Callable[..., bool], undisturbed_export: bytes
) -> None:
    """Both batches exceed the time limit for a row; only the first one reports its layers."""
    assert run_misbehaving(
        "crawls", policy=replace(FAST_POLICY, cpu_row_limit=2.0, row_limit_batches=0.0)
    )
    with reading(project.database) as connection:
        (died,) = (
            attempt for attempt in progress.attempts(connection, 1) if attempt.outcome == "died"
        )
    assert died.rows == 1
    assert died.ended is not None
    assert died.ended - died.started > 5.9
    assert events(project).count("no caption for 2 s") == 1
    assert exported_bytes(project) == undisturbed_export


def test_out_of_memory_halves_the_batch_and_is_remembered(
    project: Project, run_misbehaving: Callable[..., bool], undisturbed_export: bytes
) -> None:
    assert run_misbehaving("out_of_memory")
    assert "out of memory: batch 8 -> 2" in events(project), "the second batch has four images"
    with reading(project.database) as connection:
        assert supervisor_writes.batch_sizes(connection) == {("cpu:0", 1): 2}
    assert exported_bytes(project) == undisturbed_export


def test_a_record_that_kills_every_worker_is_poison_and_the_rest_is_done(
    project: Project, run_misbehaving: Callable[..., bool]
) -> None:
    assert run_misbehaving("poison:27")
    done = sums(project)["done"]
    assert (done.tasks, done.captioned, done.failed) == (3, COUNT - 1, 1)
    with reading(project.database) as connection:
        (failure,) = progress.failures(connection)
    assert (failure.kind, failure.count) == ("poison", 1)
    assert failure.examples[0][0] == 7
    images = [record["image"] for record in json.loads(exported_bytes(project))]
    assert "images/000027.png" not in images
    assert len(images) == COUNT - 1


def test_a_model_that_cannot_be_loaded_is_blocked_and_the_run_ends(
    project: Project, run_misbehaving: Callable[..., bool]
) -> None:
    assert run_misbehaving("cannot_load")
    failed = sums(project)["failed"]
    assert failed.tasks == 3
    assert events(project).count("cannot load: weights missing: [bold]x[/x]") == 3
    cli_ok("retry", project.folder)
    assert run_misbehaving("well")
    assert sums(project)["done"].captioned == COUNT


def test_a_model_whose_every_load_is_killed_is_blocked_and_the_run_ends(
    project: Project, run_misbehaving: Callable[..., bool], undisturbed_export: bytes
) -> None:
    assert run_misbehaving("killed_loading")
    assert sums(project)["failed"].tasks == 3
    assert "blocked: killed while it loaded 5 times (SIGKILL)" in events(project)
    cli_ok("retry", project.folder)
    assert run_misbehaving("well")
    assert exported_bytes(project) == undisturbed_export


def test_a_worker_that_freezes_while_it_loads(
    project: Project, run_misbehaving: Callable[..., bool], undisturbed_export: bytes
) -> None:
    assert run_misbehaving("freezes_loading", policy=replace(FAST_POLICY, heartbeat_limit=8.0))
    assert "no sign of life for 8 s" in events(project)
    assert exported_bytes(project) == undisturbed_export


def test_an_image_whose_reading_never_ends_costs_one_record(
    project: Project, run_misbehaving: Callable[..., bool]
) -> None:
    """The worker cannot end the thread that hangs, so it ends itself; no other record fails."""
    assert run_misbehaving("endless:000027.png")
    assert "reading images/000027.png does not end" in events(project)
    done = sums(project)["done"]
    assert (done.tasks, done.captioned, done.failed) == (3, COUNT - 1, 1)


def test_children_of_a_worker_end_with_a_supervisor_that_is_killed(
    project: Project, gate: Gate
) -> None:
    environment = gate.environment | {"MISBEHAVIOUR": "living_child"}
    with SupervisorProcess(project, policy=FAST_POLICY, **environment) as running:
        wait_for(lambda: row_count(project) > 0)
        # The supervisor, the worker, its guard, and its child.
        assert len(leftover_processes(project)) >= 4
        running.kill()
    wait_until_gone(project)


def test_a_stopped_worker_ends_with_a_supervisor_that_is_killed(
    project: Project, tmp_path: Path
) -> None:
    (tmp_path / "state").mkdir(exist_ok=True)
    environment = {"MISBEHAVIOUR": "stops", "MISBEHAVIOUR_STATE": str(tmp_path / "state")}
    with SupervisorProcess(project, policy=FAST_POLICY, **environment) as running:
        wait_for(lambda: (tmp_path / "state/stops").is_dir() and row_count(project) > 0)
        running.kill()
    wait_until_gone(project)


def test_a_lost_image_root_pauses_and_fails_no_record(
    project: Project, data: Path, run_misbehaving: Callable[..., bool], undisturbed_export: bytes
) -> None:
    unmounted = data.with_name("unmounted")

    def mount_again() -> None:
        try:
            wait_for(lambda: "is the image root mounted?" in events(project))
        finally:
            unmounted.rename(data)
            cli_ok("resume", project.folder)

    data.rename(unmounted)
    mount = Thread(target=mount_again)
    mount.start()
    assert run_misbehaving("well")
    mount.join()
    assert "is the image root mounted?" in events(project)
    assert sums(project)["done"].failed == 0
    assert exported_bytes(project) == undisturbed_export


def test_a_worker_that_talks_does_not_fill_the_disk(
    run_misbehaving: Callable[..., bool], monkeypatch: pytest.MonkeyPatch, project: Project
) -> None:
    limit = 60_000
    monkeypatch.setenv("MISBEHAVIOUR_SECONDS", "0.05")
    assert run_misbehaving("talks", policy=replace(FAST_POLICY, log_limit=limit, log_every=0.05))
    log = project.worker_log("cpu:0")
    assert rotated_log(log).stat().st_size < 2 * limit
    assert log.stat().st_size < 2 * limit
    assert b"begun anew" in log.read_bytes()
