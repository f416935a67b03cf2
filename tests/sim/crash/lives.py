"""The steps of a shard's life: what a person may do with a project, by the product's own code."""

from __future__ import annotations

import errno
import json
import os
import uuid
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from db import projects
from db.connection import reading
from engine.captioners.registry import choose
from engine.datasets.exports.export import ExportOptions, export
from engine.operations import run_control
from engine.operations.new_project import NewProject, create
from engine.operations.reshear import reshear
from engine.project.layout import Project
from engine.project.lock import ProjectLock
from engine.project.opening import open_project
from engine.project.rebuild import fill
from engine.requests.kinds import AddModel, Configure, Exclude, Request, Retry
from engine.shearing.shear import Shearing
from engine.state.policy import Policy
from engine.supervisor.supervisor import Supervisor
from engine.utils.errors import BadInput, RequestRefused
from tests.sim.crash.obedient import ObedientLauncher, StandingClock

IMAGES = ("dog.png", "cat.png", "bad.png", "cow.png", "owl.png")
"""The records of the only shard. A name that begins with "bad" is no image to the worker. All are
of one length, so that parts of two rows may make up a third."""
BAD = IMAGES.index("bad.png")
DAMAGE, REBUILD = "damage", "rebuild"
"""Names of the steps that damage the logs of finished tasks, and that rebuild a lost database."""
DAMAGED = b"This is no database. " * 50
TASK = 1
"""The id of the only task that there is at first."""
POLICY = Policy(tick=0.5, commit_every=3.0, sync_every=5.0, sync_rows=3, chunk=4, kill_after=3.0)
"""The product's policy in small: some appends lie between two commits and two syncs."""


def make_project(folder: Path) -> Project:
    """Make the project whose shard lives."""
    captions = folder.with_suffix(".json")
    captions.write_text(json.dumps([{"image": image, "caption": "alt"} for image in IMAGES]))
    new = NewProject(captions=[captions], models=[choose("a=http://server/v1")], allow_missing=True)
    # The same bytes each time.
    with (
        patch("engine.operations.new_project.time.time", return_value=1e9),
        patch("engine.operations.new_project.uuid.uuid4", return_value=uuid.UUID(int=1)),
    ):
        return create(folder, new).project


def run(project: Project, most_batches: int | None = None) -> bool:
    """Run the project, to its end or until so many batches have come. Returns True if finished."""
    clock = StandingClock()
    launcher = ObedientLauncher(clock, most_batches)
    with ProjectLock(project.lock) as lock:
        supervisor = Supervisor(project, launcher, POLICY, "cpu", lock=lock, clock=clock)
        receive = launcher.receive

        def receive_and_stop(timeout: float) -> Any:
            if launcher.exhausted:
                supervisor.stop()
            return receive(timeout)

        launcher.receive = receive_and_stop  # type: ignore[method-assign]
        return supervisor.run()


def ask(project: Project, request: Request) -> None:
    """Have a request carried out while nothing runs, as a command does."""
    run_control.apply(project, request, None, StandingClock())


def exclude_in_vain(project: Project) -> None:
    """Exclude the bad record on a disk that is full before the sheared file is written."""
    full = OSError(errno.ENOSPC, "No space left on device")
    with patch("engine.state.completion.replace_sheared", side_effect=full):
        ask(project, Exclude(records=((TASK, (BAD,)),)))


def export_part(project: Project) -> None:
    """Export what there is, which writes the sheared files that are missing."""
    for sheared in project.captions.glob("*/*.sheared-*"):
        sheared.unlink()  # they may be deleted
    export(project, project.folder.with_suffix(".out"), ExportOptions(allow_partial=True))


def rebuild(project: Project) -> None:
    """Open a project whose database was damaged."""
    project.database.write_bytes(DAMAGED)
    open_anyhow(project.folder)


def open_anyhow(folder: Path) -> Project:
    """Open a project, rebuilding its database if it must be, as quickly and as ever."""
    with (
        patch("engine.project.rebuild.fill", fill_quickly),
        patch("engine.project.rebuild.time.strftime", return_value="damaged-then"),
    ):
        return open_project(folder)


def damage(project: Project) -> None:
    """Change the logs of finished tasks, as a bad disk or a person does; every line still parses.

    Of other logs nobody knows what they should hold.
    """
    with reading(project.database) as connection:
        models = {model.id: model for model in projects.models(connection)}
        done = [task for task in projects.tasks(connection) if task.state == "done"]
    for task in done:
        log = project.caption_log_file(models[task.model_id], task.shard)
        log.write_bytes(damaged(log.read_bytes()))
        with log.open("rb") as file:
            os.fsync(file.fileno())


def damaged(data: bytes) -> bytes:
    return data.replace(IMAGES[0].encode(), b"another.png")


@cache
def new_database(manifest: bytes) -> bytes:
    """Return the database that is made of a project.json."""
    with TemporaryDirectory() as folder:
        project = Project(Path(folder))
        project.manifest.write_bytes(manifest)
        fill(project.database, project, "it was damaged")
        return project.database.read_bytes()


def fill_quickly(new: Path, project: Project, _: str) -> None:
    """Do as `fill` of `engine.project.rebuild`, whose migrations take a tenth of a second."""
    new.write_bytes(new_database(project.manifest.read_bytes()))
    with reading(new):
        pass  # by which the recorder learns of the commit


STEPS: dict[str, Callable[[Project], Any]] = {
    "run": run,
    "run and stop": lambda project: run(project, 1),
    "retry": lambda project: ask(project, Retry(tasks=(TASK,))),
    "retry failed": lambda project: ask(project, Retry(tasks=(TASK,), failed_items=True)),
    "exclude": lambda project: ask(project, Exclude(records=((TASK, (BAD,)),))),
    "exclude in vain": exclude_in_vain,
    "take back in": lambda project: ask(project, Exclude(records=((TASK, (BAD,)),), exclude=False)),
    "set": lambda project: ask(project, Configure(model="a", changes={"max_new_tokens": "20"})),
    "add a model": lambda project: ask(project, AddModel(choice=choose("b=http://server/v1"))),
    "shear again": lambda project: reshear(project, Shearing("sentence", 2)),
    "export": export_part,
    REBUILD: rebuild,
    DAMAGE: damage,
}
"""Every step of a life, by name."""


def take_step(name: str, folder: Path) -> None:
    """Take a step. One that is refused, as a second model of one name, changes nothing."""
    with suppress(BadInput, RequestRefused):
        STEPS[name](open_anyhow(folder))
