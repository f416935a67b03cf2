"""Shearing a whole project again, without a GPU: only the raw texts in the logs are needed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from db.rows import ShearMode
from engine.operations.reshear_job import Job, shear_log
from engine.process.pool import on_all_cores
from engine.project.layout import Project
from engine.project.lock import Held, ProjectLock
from engine.project.sheared_file import sheared_file
from engine.shearing.shear import Shearing
from engine.state.policy import Policy
from engine.state.project_state import ProjectState, keep_manifest
from engine.utils.errors import BadInput, Refused
from engine.utils.plurals import plural


@dataclass(frozen=True, slots=True)
class Resheared:
    """`shards` counts tasks that were done; the others are sheared when they end."""

    shards: int
    captions: int
    empty: int

    def sentence(self, mode: ShearMode) -> str:
        empty = f", {self.empty:,} of them to nothing" if self.empty else ""
        found = f"{plural(self.captions, 'caption')} of {plural(self.shards, 'task')}"
        return f"{found} sheared in mode {mode}{empty}"


def reshear(
    project: Project,
    shearing: Shearing,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Resheared:
    """Writes every finished task's sheared captions anew and makes this the project's way.

    Until the end the project keeps its old way, and a sheared file names the way it was made in:
    whatever ends this early, nothing wrong is ever read. Raises `Refused` while the project runs,
    `BadInput`.
    """
    try:
        with ProjectLock(project.lock):
            return reshear_held(ProjectState(project, Policy()), shearing, progress)
    except Held as held:
        raise Refused(f"the project is in use by {held}: 'stop' it, shear, and 'run' it") from held
    except OSError as error:
        raise BadInput(f"cannot shear {project.folder}: {error.strerror or error}") from error


def reshear_held(
    project_state: ProjectState, shearing: Shearing, progress: Callable[[int, int], None]
) -> Resheared:
    jobs = [
        Job(
            task.id,
            project_state.project.log_file(project_state.models[task.model_id], task.shard),
            task.digest,
            task.rows,
            task.count,
            project_state.models[task.model_id].family,
            shearing,
        )
        for task in project_state.ledger.tasks.values()
        if task.digest is not None
    ]
    now = time.time()
    captions = empty = 0
    for number, done in enumerate(on_all_cores(shear_log, jobs), start=1):
        project_state.ledger.change(done.task_id, now, empty=done.empty)
        captions += done.captions
        empty += done.empty
        progress(number, len(jobs))
    project_state.set_shearing(shearing)
    cap = "" if shearing.max_words is None else f", {shearing.max_words} words at most"
    project_state.event("info", f"sheared again: {shearing.mode}{cap}")
    project_state.commit()
    keep_manifest(project_state.project, project_state)
    remove_stale(jobs)
    return Resheared(len(jobs), captions, empty)


def remove_stale(jobs: list[Job]) -> None:
    """Sheared files of other ways; a folder is listed once, not once a shard."""
    current = {sheared_file(job.log, job.shearing, job.digest) for job in jobs}
    for folder in {job.log.parent for job in jobs}:
        for path in folder.glob("*.sheared-*"):
            if path not in current:
                path.unlink(missing_ok=True)
