"""Shearing a whole project again, without a GPU: only the raw texts in the logs are needed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from engine import captionlog
from engine.books import Books
from engine.completion import put_sheared, shear_rows, sheared_captions, sheared_file
from engine.cores import on_all_cores
from engine.errors import BadInput, Refused
from engine.lock import Held, ProjectLock
from engine.policy import Policy
from engine.project import Project
from engine.shearing import Shearing


class Job(NamedTuple):
    task_id: int
    log: Path
    digest: str
    rows: int
    records: int
    family: str
    shearing: Shearing


class Done(NamedTuple):
    task_id: int
    captions: int
    empty: int


@dataclass(frozen=True, slots=True)
class Resheared:
    """`shards` counts tasks that were done; the others are sheared when they end."""

    shards: int
    captions: int
    empty: int


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
            return reshear_held(Books(project, Policy()), shearing, progress)
    except Held as held:
        raise Refused(f"the project is in use by {held}: 'stop' it, shear, and 'run' it") from held
    except OSError as error:
        raise BadInput(f"cannot shear {project.folder}: {error.strerror or error}") from error


def reshear_held(
    books: Books, shearing: Shearing, progress: Callable[[int, int], None]
) -> Resheared:
    jobs = [
        Job(
            task.id,
            books.project.log_file(books.models[task.model_id], task.shard),
            task.digest,
            task.rows,
            task.count,
            books.models[task.model_id].family,
            shearing,
        )
        for task in books.ledger.tasks.values()
        if task.digest is not None
    ]
    now = time.time()
    captions = empty = 0
    for number, done in enumerate(on_all_cores(shear_log, jobs), start=1):
        books.ledger.change(done.task_id, now, empty=done.empty)
        captions += done.captions
        empty += done.empty
        progress(number, len(jobs))
    books.set_shearing(shearing)
    cap = "" if shearing.max_words is None else f", {shearing.max_words} words at most"
    books.event("info", f"sheared again: {shearing.mode}{cap}")
    books.commit()
    remove_stale(jobs)
    return Resheared(len(jobs), captions, empty)


def remove_stale(jobs: list[Job]) -> None:
    """Sheared files of other ways; a folder is listed once, not once a shard."""
    current = {sheared_file(job.log, job.shearing, job.digest) for job in jobs}
    for folder in {job.log.parent for job in jobs}:
        for path in folder.glob("*.sheared-*"):
            if path not in current:
                path.unlink(missing_ok=True)


def shear_log(job: Job) -> Done:
    """Raises `BadInput` if the log is not the one that was read back when its task ended."""
    try:
        rows = captionlog.read_known(job.log, job.digest, job.rows)
    except FileNotFoundError as error:
        raise BadInput(
            f"{job.log} is missing, its task is done: 'mllmaug-tui run' makes it again"
        ) from error
    if rows is not None:
        captions = shear_rows(rows, job.records, job.family, job.shearing)
    else:
        contents = captionlog.read(job.log, job.records)
        if contents.digest != job.digest:
            raise BadInput(
                f"{job.log} was changed after its task was done: 'mllmaug-tui run' redoes what"
                " it lacks"
            )
        captions = sheared_captions(contents, job.records, job.family, job.shearing)
    put_sheared(sheared_file(job.log, job.shearing, job.digest), captions, sync=False)
    return Done(job.task_id, job.records - captions.count(None), captions.count(""))
