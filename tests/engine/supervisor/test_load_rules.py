"""Loads whose worker is killed, or hangs: who is to blame, and that the run comes to its end."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from engine.protocol.messages import Load, LoadFailed, LoadFailure
from engine.state.policy import Policy
from engine.supervisor.load_rules import (
    KilledLoad,
    LoadFailureFacts,
    LoadVerdict,
    describe_killed_load,
    judge_load_failure,
)
from engine.supervisor.worker_state import WorkerState
from tests.support.run_in_memory import RunInMemory

POLICY = Policy()
KILLED = LoadFailureFacts(
    on_trial=False,
    other_machine_may_load=False,
    machine_has_other_work=False,
    loaded_elsewhere=False,
    failures=0,
    kills=1,
)
BLAMED = replace(KILLED, kills=POLICY.load_kills)
GIB = 2**30


@pytest.mark.parametrize(
    ("facts", "verdict"),
    [
        (KILLED, "device_death"),
        (replace(KILLED, kills=2, failures=2), "device_death"),
        (replace(KILLED, other_machine_may_load=True), "device_death"),
        (replace(KILLED, loaded_elsewhere=True), "device_death"),
        (BLAMED, "count"),
        (replace(BLAMED, failures=1), "count"),
        (replace(BLAMED, failures=2), "block"),
        (replace(BLAMED, failures=2, kills=99), "block"),
        (replace(BLAMED, failures=2, on_trial=True), "device_death"),
        (replace(BLAMED, failures=2, loaded_elsewhere=True), "delay_on_device"),
        (replace(BLAMED, other_machine_may_load=True), "delay_and_rest_machine"),
        (
            replace(BLAMED, other_machine_may_load=True, machine_has_other_work=True),
            "delay_on_machine",
        ),
    ],
)
def test_killed_load(facts: LoadFailureFacts, verdict: LoadVerdict) -> None:
    assert judge_load_failure(facts, POLICY) == verdict


SIGKILL = KilledLoad(reason="killed by signal 9", signal="SIGKILL", times=5)


@pytest.mark.parametrize(
    ("load", "text"),
    [
        (
            replace(SIGKILL, weight_bytes=13 * GIB, machine_bytes=8 * GIB),
            "killed while it loaded 5 times (SIGKILL), probably out of memory: it needs about"
            " 13.0 GiB for its weights, this machine has 8.0 GiB; free memory, or take a smaller"
            " model or a larger machine",
        ),
        (
            replace(SIGKILL, weight_bytes=13 * GIB),
            "killed while it loaded 5 times (SIGKILL), probably out of memory: it needs about"
            " 13.0 GiB for its weights; free memory, or take a smaller model or a larger machine",
        ),
        (
            SIGKILL,
            "killed while it loaded 5 times (SIGKILL), probably out of memory; free memory, or"
            " take a smaller model or a larger machine",
        ),
        (
            replace(SIGKILL, signal="SIGTERM"),
            "killed while it loaded 5 times (SIGTERM): find out what ends its workers",
        ),
        (
            replace(SIGKILL, signal=None, reason="no progress in loading for 1800 s"),
            "5 workers ended while they loaded it, the last one because: no progress in loading for"
            " 1800 s",
        ),
    ],
)
def test_text(load: KilledLoad, text: str) -> None:
    assert describe_killed_load(load) == text


Fate = Callable[[RunInMemory, WorkerState], None]
"""What happens to a worker that loads."""


def killed(run: RunInMemory, worker: WorkerState) -> None:
    run.exit(worker, -9)


def hangs(run: RunInMemory, worker: WorkerState) -> None:
    while not run.signals(worker):
        run.wait_alive(5.0)
    run.exit(worker, -15)


def run_until_over(run: RunInMemory, fate: Fate, hours: float = 24.0) -> None:
    """Have every load end by its fate, until no task is left or so many hours have passed."""
    until = run.clock.now + hours * 3600
    while not run.state.ledger.finished and run.clock.now < until:
        for worker in list(run.supervisor.workers.values()):
            if worker.state == "loading":
                fate(run, worker)
        run.turn(20.0)


@pytest.mark.parametrize("fate", [killed, hangs])
@pytest.mark.parametrize(
    "devices",
    [["cuda:0"], ["cuda:0", "cuda:1"], ["a/cuda:0", "b/cuda:0"], ["cpu:0", "a/cuda:0", "b/cuda:0"]],
)
@pytest.mark.parametrize("models", [["one"], ["one", "two"]])
def test_a_run_whose_loads_never_end_well_ends(
    fate: Fate, devices: list[str], models: list[str], tmp_path: Path
) -> None:
    run = RunInMemory(tmp_path / "project", devices=devices, models=models)
    run_until_over(run, fate)
    assert [model.blocked_cause for model in run.state.models.values()] == ["died"] * len(models)
    assert {task.error_cause for task in run.state.ledger.tasks.values()} == {"model_blocked"}
    assert any(text.startswith("blocked: ") for text in run.events)


def test_nodes_that_hang_in_turn_do_not_excuse_each_other_for_ever(tmp_path: Path) -> None:
    """While one fails, the other is loading: it may load the model, as far as is known."""
    run = RunInMemory(tmp_path / "project", devices=["a/cuda:0", "b/cuda:0"])
    for turn in range(60):
        device = ("a/cuda:0", "b/cuda:0")[turn % 2]
        for worker in list(run.supervisor.workers.values()):
            if worker.device == device and worker.state == "loading":
                run.send(worker, LoadFailed(model=1, kind="checkpoint", text="no file"))
        run.wait_alive(400.0)
        if run.model.blocked:
            break
    assert run.model.blocked == "no file"


def test_a_node_that_is_pinned_to_another_model_excuses_nobody(tmp_path: Path) -> None:
    run = RunInMemory(tmp_path / "project", devices=["a/cuda:0", "b/cuda:0"], models=["one", "two"])
    run.supervisor.device_pool.pin("b/cuda:0", 2)
    run.supervisor.device_pool.pin("a/cuda:0", 1)
    for _ in range(10):
        run.wait_alive(400.0)
        for worker in list(run.supervisor.workers.values()):
            if worker.device == "a/cuda:0" and worker.state == "loading":
                run.send(worker, LoadFailed(model=1, kind="checkpoint", text="no file"))
    assert run.model.blocked == "no file"


def test_a_device_that_was_pinned_away_puts_no_other_on_trial(tmp_path: Path) -> None:
    run = RunInMemory(tmp_path / "project", devices=["cuda:0", "cuda:1"], models=["one", "two"])
    run.prove("cuda:1", 1)
    assert run.supervisor.device_pool.is_on_trial("cuda:0", 1)
    run.supervisor.device_pool.pin("cuda:1", 2)
    assert not run.supervisor.device_pool.is_on_trial("cuda:0", 1)


def test_kills_with_loads_between_them_block_nothing(tmp_path: Path) -> None:
    run = RunInMemory(tmp_path / "project")
    for _ in range(20):
        run.exit(run.starting(), -9)
        run.turn(run.policy.device_rest)
        run.exit(run.loaded(), -9)
        run.turn(run.policy.device_rest)
    assert run.model.blocked is None
    assert run.model.load_failures == 0


def test_other_models_go_on_while_the_loads_of_one_are_killed(tmp_path: Path) -> None:
    run = RunInMemory(tmp_path / "project", models=["one", "two"])
    run.exit(run.starting(), -9)
    run.turn()
    assert {worker.model_id for worker in run.supervisor.workers.values()} == {2}


def test_a_blocked_model_that_is_retried_starts_afresh(tmp_path: Path) -> None:
    run = RunInMemory(tmp_path / "project")
    run_until_over(run, killed)
    run.change_model(blocked=None, blocked_cause=None, load_failures=0)
    run.state.ledger.retry(1, run.clock.time(), failed_items=False)
    run.turn()
    run.exit(run.starting(), -9)
    assert run.supervisor.device_pool.killed_loads == {("cuda:0", 1): 1}
    assert run.model.load_failures == 0


@pytest.mark.parametrize(
    "nonsense",
    [
        {"family": "no such family"},
        {"settings": {"batch": -1}},
        {"settings": {"batch": "many"}},
        {"settings": {"max_new_tokens": None}},
        {"settings": {"temperature": float("nan")}},
        {"settings": {"prompt": ["a"]}},
        {"checkpoint": "/a/folder/that/dry-run/does/not/take"},
    ],
    ids=str,
)
def test_a_model_that_makes_no_sense_is_blocked_and_others_go_on(
    nonsense: dict[str, object], tmp_path: Path
) -> None:
    run = RunInMemory(tmp_path / "project", models=["one", "two"])
    run.change_model(1, **nonsense)
    for _ in range(4):
        run.turn(1.0)
    assert run.model.blocked_cause == "error"
    assert run.task.error_cause == "model_blocked"
    assert {worker.model_id for worker in run.supervisor.workers.values()} == {2}


def test_what_is_told_of_the_next_load_is_true(tmp_path: Path) -> None:
    """At the second kill the device rests, which its own event tells; later delays are longer."""
    run = RunInMemory(tmp_path / "project", policy=Policy(load_failures=99))
    pool, rested = run.supervisor.device_pool, False
    pool.count_death("cuda:0")
    for _ in range(6):
        worker = run.starting()
        run.state.events.clear()
        run.exit(worker, -9)
        told = re.findall(r"again in (\d+) s|rests for (\d+) minutes", "\n".join(run.events))
        seconds = max(int(seconds or 60 * int(minutes)) for seconds, minutes in told)
        rested = rested or pool.devices["cuda:0"].state == "resting"
        run.turn(seconds - 1.0)
        assert not run.supervisor.workers
        run.turn(1.0)
        assert [worker.state for worker in run.supervisor.workers.values()] == ["loading"]
    assert rested


def test_a_node_that_has_left_is_not_held_against_one_of_its_name(tmp_path: Path) -> None:
    run = RunInMemory(tmp_path / "project", devices=["a/cuda:0", "b/cuda:0"])
    run.send(run.starting("a/cuda:0"), LoadFailed(model=1, kind="checkpoint", text="no file"))
    pool = run.supervisor.device_pool
    assert pool.failed_loads == {("a/cuda:0", 1)}
    rows = run.launcher.rows
    run.launcher.rows = rows[1:]
    run.turn()
    run.launcher.rows = rows
    run.turn()
    assert pool.failed_loads == set()
    assert pool.may_load("a/cuda:0", 1)


@pytest.mark.parametrize(("kind", "failures"), [("error", 1), ("memory", 0)])
def test_a_worker_that_exits_after_a_failed_load_gets_no_other_before(
    kind: LoadFailure, failures: int, tmp_path: Path
) -> None:
    """Or its exit would count as a second failure, and even of a model that it never loaded."""
    run = RunInMemory(tmp_path / "project", models=["one", "two"])
    worker = run.starting()
    model = worker.model_id
    assert model is not None
    run.send(worker, LoadFailed(model=model, kind=kind, text="no file"))
    run.send(worker, LoadFailed(model=model, kind=kind, text="no file"))
    run.turn()
    assert len(run.sent(worker, Load)) == 1
    run.exit(worker, 4)
    assert {m.id: m.load_failures for m in run.state.models.values()} == {
        model: failures,
        3 - model: 0,
    }


def test_a_worker_that_does_not_exit_after_a_failed_load_is_killed(tmp_path: Path) -> None:
    run = RunInMemory(tmp_path / "project")
    worker = run.starting()
    run.send(worker, LoadFailed(model=1, kind="error", text="no file"))
    run.turn(run.policy.kill_after)
    assert run.signals(worker) == []
    run.turn(1.0)
    assert run.signals(worker) == ["KILL"]
    run.exit(worker, -9)
    assert run.model.load_failures == 1
