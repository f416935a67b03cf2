"""A small project for requests: two models and three shards of four records, without processes.

Tasks 1 to 3 are those of the model `dry-run`, tasks 4 to 6 those of the model `served`.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from db import projects
from db.connection import migrate, writing
from db.rows import DeviceRow, ModelRow, ProjectRow, ShardRow
from engine.captioners.registry import choose
from engine.project.layout import Project
from engine.protocol.caption_row import CaptionRow, ErrorRow, Row, row_fields
from engine.requests.running_supervisor import RunDevices
from engine.state.policy import Policy
from engine.state.project_state import ProjectState
from engine.state.reconcile import log_path, reconcile
from engine.utils import jsonlines
from tests.support.run_in_memory import ManualClock

RECORDS = 4
"""Records of each shard."""
CHOICES = (choose("dry-run"), choose("served=http://localhost:8000/v1"))


def make_project(folder: Path) -> Project:
    """Make the database of a project in which nothing was done yet; it has no shard files."""
    project = Project(folder)
    folder.mkdir(parents=True)
    (folder / "images").mkdir()
    migrate(project.database)
    models = [
        ModelRow(
            id=number,
            position=number,
            name=choice.name,
            family=choice.family,
            checkpoint=choice.checkpoint,
            settings=choice.settings,
            settings_hash=choice.settings_hash,
        )
        for number, choice in enumerate(CHOICES, 1)
    ]
    shards = [
        ShardRow(number=n, first=n * RECORDS, count=RECORDS, bytes=1, digest="d") for n in range(3)
    ]
    head = ProjectRow(uid="small", created=0.0, records=3 * RECORDS, image_root="images")
    with writing(project.database) as connection:
        projects.create(connection, head, models, shards)
    return project


class SmallProject:
    """A copy of the small project, its state in memory, and the verbs of a test."""

    def __init__(self, template: Project, folder: Path) -> None:
        shutil.copytree(template.folder, folder)
        self.project = Project(folder)
        self.clock = ManualClock()
        self.state = self.load()

    def load(self) -> ProjectState:
        """Return the project's state as the database has it."""
        return ProjectState.load(self.project, Policy(), self.clock)

    def save(self) -> None:
        """Make what was changed the state that the test begins with."""
        self.state.commit()
        self.state = self.load()

    def change_tasks(self, changes: Mapping[int, Mapping[str, Any]]) -> None:
        for task_id, values in changes.items():
            self.state.ledger.change(task_id, self.clock.time(), **values)

    def change_models(self, changes: Mapping[int, Mapping[str, Any]]) -> None:
        for model_id, values in changes.items():
            self.state.save_model(replace(self.state.models[model_id], **values))

    def log(self, task_id: int) -> Path:
        """Return the path of a task's caption log."""
        return log_path(self.state, self.state.ledger[task_id])

    def write_log(self, task_id: int, rows: Iterable[Row]) -> None:
        """Write the caption log of a task, which the state does not take notice of."""
        log = self.log(task_id)
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_bytes(b"".join(jsonlines.dumps(row_fields(row)) + b"\n" for row in rows))

    def take_over_logs(self) -> None:
        """Bring the tasks up to their caption logs, as the start of a run does."""
        reconcile(self.state)
        self.state.events.clear()
        self.save()

    def facts(self) -> dict[str, Any]:
        """Return everything that a request may change and the database keeps."""
        return facts(self.state)


def facts(state: ProjectState) -> dict[str, Any]:
    """Return the settings that requests change, the flags, and the rows of models and tasks."""
    settings = state.settings
    tasks = {task.id: asdict(task) for task in state.ledger.tasks.values()}
    for task in tasks.values():
        del task["updated"]
    return {
        "paused": settings.paused,
        "pause_cause": settings.pause_cause,
        "witness": settings.witness,
        "flags": set(state.flags),
        "ratings": set(state.ratings.items()),
        "batch_sizes": dict(state.batch_sizes),
        "models": {model.id: asdict(model) for model in state.models.values()},
        "tasks": tasks,
    }


@dataclass
class FakeDevices:
    """Two devices, of which one rests."""

    devices: dict[str, DeviceRow] = field(
        default_factory=lambda: {
            "cuda:0": DeviceRow(id="cuda:0"),
            "cuda:1": DeviceRow(id="cuda:1", state="resting", rest_until=1e9),
        }
    )

    def pin(self, device_id: str, model_id: int | None) -> None:
        self.devices[device_id] = replace(self.devices[device_id], pinned_model_id=model_id)

    def wake(self, device_id: str) -> None:
        self.devices[device_id] = replace(self.devices[device_id], state="ready", rest_until=0.0)

    def end_load_delays(self) -> set[int]:
        return set()


class FakeSupervisor:
    """Keeps what it was told; a task that it is to cancel becomes pending, as in a real run."""

    def __init__(self, state: ProjectState) -> None:
        self.state = state
        self.told: list[tuple[object, ...]] = []
        self.fake_devices = FakeDevices()

    @property
    def device_pool(self) -> RunDevices:
        return self.fake_devices

    def stop(self, after_shard: bool = False) -> None:
        self.told.append(("stop", after_shard))

    def on_paused(self) -> None:
        self.told.append(("on_paused",))

    def forget_witness(self) -> None:
        self.told.append(("forget_witness",))

    def cancel_task(self, task_id: int) -> None:
        if self.state.ledger[task_id].state == "running":
            self.told.append(("cancel_task", task_id))
            self.state.ledger.release(task_id, self.state.clock.time())


def caption(i: int) -> CaptionRow:
    return CaptionRow(i, f"A picture of {i}. And more.", 5, "stop")


def error(i: int, kind: str = "missing") -> ErrorRow:
    return ErrorRow(i, kind, "it is not there")


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project that `small` is a copy of."""
    return make_project(tmp_path_factory.mktemp("template") / "project")


@pytest.fixture
def small(template: Project, tmp_path: Path) -> SmallProject:
    return SmallProject(template, tmp_path / "small")
