"""The end of a caption log that captions were imported into: it is synced and read back.

Imports little: the processes of a pool start with it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from db.rows import FailureRow
from engine.project.caption_log import LogCounts, sync_folder
from engine.shearing.shear import Shearing
from engine.state.completion import CompletedLog, IncompleteLog, complete_log
from engine.state.failure_rows import group_failures
from engine.utils.plain_files import open_file


class FinishJob(NamedTuple):
    """A caption log to which rows were appended, and which is not synced yet."""

    task_id: int
    log: Path
    counts: LogCounts
    """What the log holds."""
    failures: list[FailureRow]
    """Its records without a caption."""
    records: int
    """The number of records of the shard."""
    family: str
    shearing: Shearing
    ends: bool
    """True if every record has its row, so that the task is done."""


class FinishedLog(NamedTuple):
    """A caption log that is synced, and what was found when it was read back."""

    job: FinishJob
    completed: CompletedLog | None = None
    """None if the task is not done."""
    failures: Sequence[FailureRow] = ()
    trouble: str = ""
    """Why the log is not what was written to it; empty if it is."""


def finish_log(job: FinishJob) -> FinishedLog:
    """Sync a log and, if its task ends, read it back and write its sheared captions.

    Raises `OSError`: then nothing of the log counts before it is opened again.
    """
    file = open_file(job.log, os.O_WRONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
    sync_folder(job.log.parent)
    if not job.ends:
        return FinishedLog(job, failures=job.failures)
    try:
        completed, contents = complete_log(job.log, job.records, job.family, job.shearing)
    except IncompleteLog as error:
        return FinishedLog(job, trouble=str(error))
    return FinishedLog(job, completed, group_failures(job.task_id, contents.errors))
