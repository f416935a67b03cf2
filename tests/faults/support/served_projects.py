"""Projects that a served model captions: made, run in this process, and read back."""

from __future__ import annotations

from pathlib import Path

from db import progress, projects
from db.connection import reading
from db.rows import ModelRow
from engine.captioners.registry import choose
from engine.operations.new_project import NewProject, create
from engine.project.layout import Project
from engine.state.policy import Policy
from engine.supervisor.main import supervise
from tests.faults.support.crashing_server import CrashingServer
from tests.faults.support.fake_server import FakeServer
from tests.faults.support.invariants import check_invariants
from tests.faults.support.supervisor_process import FAST_POLICY

WORKER = "tests.faults.support.short_retry_worker"
"""The module of the workers, which soon give up on a server."""
SHARD_SIZE = 20
"""Number of records in a shard."""


def make_served_project(
    folder: Path,
    data: Path,
    *servers: FakeServer | CrashingServer,
    batch: int = 8,
    **changes: str,
) -> Project:
    """Make a project with one model for each server. `changes` are settings of all models."""
    models = [
        choose(f"served-{n}={server.address}", changes={"batch": str(batch)} | changes)
        for n, server in enumerate(servers)
    ]
    new_project = NewProject(
        captions=[data / "captions.json"], models=models, shard_size=SHARD_SIZE
    )
    return create(folder, new_project).project


def models(project: Project) -> list[ModelRow]:
    with reading(project.database) as connection:
        return list(projects.models(connection))


def run(project: Project, devices: str = "cpu", policy: Policy = FAST_POLICY) -> bool:
    """Run the project in this process. Return True if no task is left."""
    finished = supervise(project, devices, policy, module=WORKER)
    check_invariants(project)
    return finished


def failure_kinds(project: Project) -> dict[int, str]:
    """Return the kind of failure of each failed record, by record id."""
    with reading(project.database) as connection:
        rows, tasks = progress.failures(connection), projects.tasks(connection)
    shard = {task.id: task.shard for task in tasks}
    return {SHARD_SIZE * shard[row.task_id] + i: row.kind for row in rows for i, _ in row.examples}
