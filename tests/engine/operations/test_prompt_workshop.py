"""The prompt workshop: a real process that keeps its model, and on which device it is tried."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from db.connection import writing
from db.rows import DeviceRow, Rating
from db.supervisor_writes import save_devices
from engine.demo import checkpoint
from engine.hardware.devices import cpu_devices
from engine.operations import prompt_workshop, run_control
from engine.operations.prompt_workshop import (
    SLOW,
    PromptWorkshop,
    free_device,
    prompt_changes,
)
from engine.operations.tryout import TryoutEvent, TryoutFailed
from engine.project.layout import Project
from engine.project.opening import open_project
from engine.requests.kinds import Rate
from engine.utils.errors import BadInput
from tests.support import canned_rows
from tests.support.cli import cli_ok
from tests.support.pictures import make_captions
from tests.support.small_project import make_project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a project with three images and a tiny model."""
    captions = make_captions(tmp_path / "data", 3)
    model = f"llava-1.5={checkpoint('llava-1.5')}"
    cli_ok("new", tmp_path / "run", captions, "--model", model)
    return open_project(tmp_path / "run")


def test_one_process_is_asked_with_prompt_after_prompt(project: Project) -> None:
    workshop = PromptWorkshop(project, "llava-1.5")
    own = workshop.prepare(workshop.model.settings["prompt"])
    other = workshop.prepare("What is there?")
    assert own.settings_hash == workshop.model.settings_hash != other.settings_hash
    events: list[TryoutEvent] = []
    try:
        workshop.ask(own, events.append)
        assert workshop.tryout is not None
        child = workshop.tryout.child
        assert [event.loaded is not None for event in events].count(True) == 1
        assert {event.record for event in events if event.raw is not None} == {0, 1, 2}
        assert events[-1].memory is not None
        assert events[-1].memory > 2**26
        events.clear()
        workshop.ask(other, events.append)
        assert all(event.loaded is None for event in events), "the model stays loaded"
        assert {event.record for event in events if event.raw is not None} == {0, 1, 2}
        with pytest.raises(TryoutFailed, match="max_position_embeddings"):
            workshop.ask(workshop.prepare("word " * 5000), events.append)
        assert child.poll() is None, "a prompt that the model cannot take ends nothing"
        workshop.cancel()
        assert child.wait() == -signal.SIGKILL
    finally:
        workshop.close()
        workshop.unload()


def test_a_bad_prompt_is_refused_before_it_is_asked(project: Project) -> None:
    workshop = PromptWorkshop(project, "llava-1.5")
    with pytest.raises(BadInput, match="<image> once"):
        workshop.prepare("<image> and <image>")


def test_ratings_belong_to_a_prompt(project: Project) -> None:
    workshop = PromptWorkshop(project, "llava-1.5")
    trial = workshop.prepare("What is there?")
    rate = Rate([(0, 1)], "llava-1.5", True, "exact", trial.settings_hash)
    run_control.send_request(project, rate)
    again = workshop.prepare("What is there?")
    assert again.findings.ratings == {("llava-1.5", 1): Rating(True, "exact")}
    assert workshop.prepare("Describe it.").findings.ratings == {}


def test_one_prompt_takes_the_place_of_several() -> None:
    model = canned_rows.model_row(1, "otter")
    assert prompt_changes(model, "What?") == {"prompt": "What?"}
    model.settings["prompts"] = '["a", "b"]'
    assert prompt_changes(model, "What?") == {"prompt": "What?", "prompts": "none"}


GPUS = [DeviceRow(id="cuda:0"), DeviceRow(id="cuda:1")]


@pytest.mark.parametrize(
    ("running", "used", "found", "device", "note"),
    [
        (False, GPUS[:1], GPUS, "cuda:0", ""),
        (
            True,
            GPUS[:1],
            GPUS,
            "cuda:1",
            "The prompts are tried on cuda:1, which the run does not use.",
        ),
        (True, GPUS, GPUS, "cpu:0", SLOW),
        (True, GPUS, None, "cpu:0", SLOW),
        (True, cpu_devices(1), cpu_devices(1), "cpu:0", SLOW),
    ],
)
def test_the_device_is_none_of_a_run(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    running: bool,
    used: list[DeviceRow],
    found: list[DeviceRow] | None,
    device: str,
    note: str,
) -> None:
    def find_devices(spec: str) -> list[DeviceRow]:
        if found is None:
            raise BadInput("every visible GPU is full")
        return found

    project = make_project(tmp_path / "run")
    run = canned_rows.supervisor_row() if running else None
    monkeypatch.setattr(prompt_workshop, "live_supervisor", lambda project: run)
    monkeypatch.setattr(prompt_workshop, "find_devices", find_devices)
    with writing(project.database) as connection:
        save_devices(connection, used)
    on = free_device(project)
    assert on.device.id == device
    assert on.note == note
