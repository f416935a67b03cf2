"""A run says, once, what its tasks have begun to wait for."""

from __future__ import annotations

from pathlib import Path

from engine.protocol.messages import WaitingForSlot
from tests.support.run_in_memory import RunInMemory


def told(run: RunInMemory) -> list[str]:
    """Let the run tell what is new, and return the waits that it has told so far."""
    run.supervisor.wait_reporter.tell(stopping=False)
    return [event.text for event in run.state.events if " wait" in event.text]


def pinned_to_a_finished_model(folder: Path) -> RunInMemory:
    run = RunInMemory(folder, models=["one", "two"])
    run.supervisor.device_pool.pin("cuda:0", 1)
    run.captioning(rows=4)
    run.turn()
    return run


def test_the_only_device_is_pinned_to_a_finished_model(tmp_path: Path) -> None:
    run = pinned_to_a_finished_model(tmp_path / "project")
    command = f"mllmaug-tui unpin {run.project.folder} cuda:0"
    text = f"1 task waits: cuda:0 is pinned to one, which is finished ('{command}')"
    assert told(run) == [text]
    assert told(run) == [text], "it is told once"
    run.supervisor.device_pool.pin("cuda:0", None)
    run.dispatch()
    run.captioning()
    assert told(run) == [text]
    assert run.state.ledger[2].state == "running"


def test_a_wait_that_comes_again_is_told_again(tmp_path: Path) -> None:
    run = pinned_to_a_finished_model(tmp_path / "project")
    told(run)
    run.supervisor.device_pool.pin("cuda:0", None)
    told(run)
    run.supervisor.device_pool.pin("cuda:0", 1)
    assert len(told(run)) == 2


def test_a_pin_to_a_model_that_has_work_is_what_a_person_asked_for(tmp_path: Path) -> None:
    run = RunInMemory(tmp_path / "project", models=["one", "two"])
    run.supervisor.device_pool.pin("cuda:0", 1)
    run.captioning()
    assert told(run) == []


def test_a_run_that_is_paused_or_stops_tells_no_waits(tmp_path: Path) -> None:
    run = pinned_to_a_finished_model(tmp_path / "project")
    run.supervisor.wait_reporter.tell(stopping=True)
    run.state.pause("user")
    assert told(run) == []


def test_a_node_that_leaves_and_a_slot_that_is_not_there(tmp_path: Path) -> None:
    run = RunInMemory(tmp_path / "project", devices=["a/cuda:0"])
    run.send(run.starting("a/cuda:0"), WaitingForSlot(text="the cluster has no room"))
    assert told(run) == ["1 task waits: a/cuda:0 is waiting for a slot in the cluster"]
    run.launcher.rows = []
    run.turn()
    assert told(run)[-1] == "1 task waits: the run has no device; it waits for nodes"


def test_what_has_an_event_of_its_own_is_not_told_twice(tmp_path: Path) -> None:
    run = RunInMemory(tmp_path / "project")
    run.exit(run.starting(), -9)
    assert told(run) == []
    run.supervisor.device_pool.rest("cuda:0")
    assert told(run) == []
    facts = run.supervisor.wait_reporter.wait_facts()
    assert round(facts.load_at["cuda:0", 1] - facts.now) == run.policy.memory_retry
