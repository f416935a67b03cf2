"""Caption logs that no longer hold what was read back when their task was done.

Damage may leave lines that parse, and captions that belong to other records. So nothing of such a
log counts: it is kept beside its place, and the shard is captioned anew.
"""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

from db import progress
from db.connection import DatabaseBusy, DatabaseUnusable, reading
from db.rows import TaskRow
from engine.project.caption_log import CaptionLog, read, sync_folder
from engine.project.finished_log import recorded_bytes
from engine.project.log_rows import EXCLUDED_KIND, READMITTED_KIND, parse
from engine.protocol.caption_row import ErrorRow
from engine.state.failure_rows import group_failures
from engine.state.project_state import ProjectState
from engine.utils import plain_files
from engine.utils.plurals import plural

KEPT = "damaged-"
"""How the name of what is kept of a damaged log goes on behind that of the log."""


def check_log(project_state: ProjectState, task: TaskRow, log: Path, now: float) -> TaskRow:
    """Compare a log with the digest that its task has, and return the task as it is then.

    A log that is damaged is set aside, and its task begins anew; a task without a digest is
    returned as it is. No worker's row is appended to a finished log before the database has its
    task as another, so what stands behind its recorded part came from elsewhere, or from a request
    that was killed before it was saved: a copy is kept, and it is cut off. Raises `OSError`.
    """
    if task.digest is None:
        return task
    if recorded_bytes(log, task) is None:
        return begin_anew(project_state, task, log, now)
    status = plain_files.status(log)
    if task.state != "done" or (status.st_size, status.st_mtime_ns) == (
        task.log_bytes,
        task.log_mtime_ns,
    ):
        return task
    if status.st_size != task.log_bytes:
        remove_cut_copies(log)
        kept = free_name(log, now)
        data = plain_files.read_bytes(log)
        with plain_files.replacing(log.with_name(kept)) as copy:
            copy.write(data)
        sync_folder(log.parent)
        with plain_files.open_stream(log, "r+b") as file:
            file.truncate(task.log_bytes)
            os.fsync(file.fileno())
        text = what_was_appended(data[task.log_bytes :], task.count)
        tell(project_state, task, f"{text} (the log as it was is kept as {kept})")
    mtime_ns = plain_files.status(log).st_mtime_ns
    return project_state.ledger.change(task.id, now, log_mtime_ns=mtime_ns)


def what_was_appended(data: bytes, count: int) -> str:
    """Return what stood behind the recorded part of a finished log, and what a person may do.

    `count` is the number of records of its shard.
    """
    rows = [parse(line, count) for line in data[: data.rfind(b"\n") + 1].splitlines()]
    kinds = {row.error if isinstance(row, ErrorRow) else None for row in rows}
    if rows and kinds <= {EXCLUDED_KIND, READMITTED_KIND}:
        records = plural(len({row.i for row in rows if row is not None}), "record")
        return f"an 'exclude' of {records} was killed before it was saved, and is undone: repeat it"
    return "something was appended to the caption log of a finished shard, and was cut off again"


def begin_anew(project_state: ProjectState, task: TaskRow, log: Path, now: float) -> TaskRow:
    """Set a damaged log aside, and have all records of its shard captioned but excluded ones.

    Excluded records stay excluded as far as the tracker names them. Raises `OSError`.
    """
    excluded = excluded_records(project_state, task, log)
    kept = None
    remove_cut_copies(log)
    if log.exists():
        kept = free_name(log, now)
        plain_files.rename(log, log.with_name(kept))
    if log.parent.exists():  # or a power cut could bring the log back, as one without a digest
        sync_folder(log.parent)
    what = "is missing" if kept is None else f"was damaged and is kept as {kept}"
    text = f"the caption log of a finished shard {what}: the shard is captioned again"
    tell(project_state, task, text)
    project_state.failures[task.id] = ()
    task = project_state.ledger.restart(task.id, now)
    project_state.fail_if_imported(task.id, now)
    if excluded:
        new = CaptionLog(log, task.count)
        try:
            new.exclude(excluded)
            new.sync()
        finally:
            new.close()
        project_state.failures[task.id] = group_failures(task.id, new.errors)
        task = project_state.ledger.set_counts(task.id, new.counts, now)
    return task


def remove_cut_copies(log: Path) -> None:
    """Remove what a process has left that was killed while it copied the log. Raises `OSError`."""
    parts = filter(None, map(plain_files.PART.fullmatch, plain_files.names_in(log.parent)))
    left = [part[0] for part in parts if part[1].startswith(f"{log.name}.{KEPT}")]
    plain_files.remove_files(log.parent, left)


def free_name(log: Path, now: float) -> str:
    """Return a name under which a damaged log can be kept, and which nothing reads."""
    stamp = KEPT + time.strftime("%Y%m%d-%H%M%S", time.localtime(now))
    name, number = f"{log.name}.{stamp}", 1
    while log.with_name(name).exists():
        number += 1
        name = f"{log.name}.{stamp}-{number}"
    return name


def tell(project_state: ProjectState, task: TaskRow, text: str) -> None:
    model = project_state.models[task.model_id]
    project_state.event("warn", text, model=model.name, shard=task.shard)


def excluded_records(project_state: ProjectState, task: TaskRow, log: Path) -> set[int]:
    """Return the indexes of the excluded records of a task whose log is damaged.

    The tracker names the first few of them; others are those of which the log still says so. Raises
    `OSError`, also if the tracker cannot be read.
    """
    if not task.failed:
        return set()
    rows = project_state.failures.get(task.id)
    if rows is None:
        try:
            with reading(project_state.project.database) as connection:
                rows = progress.failures(connection, task.id)
        except (DatabaseBusy, DatabaseUnusable) as error:  # as for a file: later it may be readable
            raise OSError(errno.EIO, str(error)) from error
    excluded = [row for row in rows if row.kind == EXCLUDED_KIND]
    named = {i for row in excluded for i, _ in row.examples}
    if sum(row.count for row in excluded) > len(named):
        errors = read(log, task.count).errors
        named |= {i for i, row in errors.items() if row.error == EXCLUDED_KIND}
    return named
