"""Shearing a whole project again, without a GPU: only the raw captions in the logs are needed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from db.rows import ShearMode
from engine.operations.damage import telling_damage
from engine.operations.reshear_job import ReshearJob, shear_log
from engine.process.pool import map_on_all_cores
from engine.project.damage import Damage, DamagedFiles
from engine.project.finished_log import log_damage
from engine.project.layout import Project
from engine.project.lock import ProjectInUse, ProjectLock
from engine.project.sheared_file import sheared_path
from engine.shearing.shear import Shearing
from engine.state.policy import Policy
from engine.state.project_state import ProjectState, keep_manifest
from engine.utils.errors import BadInput, RequestRefused
from engine.utils.plain_files import names_in, remove_files
from engine.utils.plurals import plural


@dataclass(frozen=True, slots=True)
class ReshearResult:
    """The result of shearing all finished tasks; other tasks are sheared when they end."""

    tasks: int
    captions: int
    """The number of captions of these tasks."""
    empty: int
    """The number of captions that were sheared to nothing."""
    to_score: int = 0
    """Finished tasks of scorers, which look at the captions when the project next runs."""

    def summary(self, mode: ShearMode) -> str:
        """Return the result as a sentence; `mode` is the mode of shearing."""
        empty = f", {self.empty:,} of them to nothing" if self.empty else ""
        counted = f"{plural(self.captions, 'caption')} of {plural(self.tasks, 'task')}"
        scoring = f"; the next run scores the new ones in {plural(self.to_score, 'task')}"
        return f"{counted} sheared in mode {mode}{empty}{scoring if self.to_score else ''}"


def reshear(
    project: Project,
    shearing: Shearing,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> ReshearResult:
    """Write the sheared captions of every finished task again, and make `shearing` the project's.

    The project keeps its old shearing until the end, and the name of a sheared file holds a hash of
    its shearing: if this ends early, no wrong file is ever read. `progress` gets the numbers of
    tasks done and of all. Raises `RequestRefused` while the project runs, `BadInput`, also if any
    log is damaged.
    """
    try:
        with telling_damage(project), ProjectLock(project.lock):
            return reshear_locked(ProjectState.load(project, Policy()), shearing, progress)
    except ProjectInUse as holder:
        message = f"the project is in use by {holder}: 'stop' it, shear, and 'run' it"
        raise RequestRefused(message) from holder
    except OSError as error:
        raise BadInput(f"cannot shear {project.folder}: {error.strerror or error}") from error


def reshear_locked(
    project_state: ProjectState, shearing: Shearing, progress: Callable[[int, int], None]
) -> ReshearResult:
    """Do as `reshear` in a process that holds the project's lock. Raises `DamagedFiles`."""
    jobs = [
        ReshearJob(
            task_id=task.id,
            log=project_state.project.caption_log_file(
                project_state.models[task.model_id], task.shard
            ),
            digest=task.digest,
            rows=task.rows,
            records=task.count,
            family=project_state.models[task.model_id].family,
            shearing=shearing,
        )
        for task in project_state.ledger.tasks.values()
        if task.state == "done"
        and task.digest is not None
        # A scorer has scores, which are of texts, and no captions of its own.
        and task.model_id not in project_state.ledger.scorers
    ]
    now = time.time()
    captions = empty = 0
    damage: list[Damage] = []
    for number, result in enumerate(map_on_all_cores(shear_log, jobs), start=1):
        if result.damaged:
            damage.append(log_damage(jobs[number - 1].log, project_state.ledger[result.task_id]))
            continue
        # The task keeps its time: nothing of it was captioned.
        unchanged = project_state.ledger[result.task_id].updated
        project_state.ledger.change(result.task_id, unchanged, empty=result.empty)
        captions += result.captions
        empty += result.empty
        progress(number, len(jobs))
    if damage:
        raise DamagedFiles(damage)
    project_state.set_shearing(shearing)
    finished = project_state.ledger.states["done"]
    for shard in project_state.shards:
        project_state.ledger.reopen_scoring(shard, now)
    to_score = finished - project_state.ledger.states["done"]
    cap = "" if shearing.max_words is None else f", at most {shearing.max_words} words"
    project_state.event("info", f"sheared again: {shearing.mode}{cap}")
    project_state.commit()
    keep_manifest(project_state.project, project_state)
    remove_stale_files(jobs)
    return ReshearResult(len(jobs), captions, empty, to_score)


def remove_stale_files(jobs: list[ReshearJob]) -> None:
    """Remove the sheared files of other shearings."""
    current = {sheared_path(job.log, job.shearing, job.digest) for job in jobs}
    # Each folder is listed once, not once per shard.
    for folder in {job.log.parent for job in jobs}:
        names = [name for name in names_in(folder) if ".sheared-" in name]
        remove_files(folder, [name for name in names if folder / name not in current])
