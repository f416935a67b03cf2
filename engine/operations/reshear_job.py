"""Shearing one caption log again. Imports little: the processes of a pool start with it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from engine.project import caption_log
from engine.project.finished_log import read_if_unchanged
from engine.project.sheared_file import shear_texts, sheared_captions, sheared_path, write_sheared
from engine.shearing.shear import Shearing


class ReshearJob(NamedTuple):
    """The caption log of one finished task, to be sheared."""

    task_id: int
    log: Path
    digest: str
    """The digest of the log when its task ended."""
    rows: int
    """The number of its rows then."""
    records: int
    """The number of records of the shard."""
    family: str
    shearing: Shearing


class ShearedLog(NamedTuple):
    """The result for one task: the number of its captions, and of those sheared to nothing."""

    task_id: int
    captions: int
    empty: int
    damaged: bool = False
    """True if the log is missing or was changed after its task ended, and nothing was written."""


def shear_log(job: ReshearJob) -> ShearedLog:
    """Shear every caption of a log and write its sheared file, which is not synced."""
    try:
        texts = read_if_unchanged(job.log, job.digest, job.rows)
    except FileNotFoundError:
        return ShearedLog(job.task_id, 0, 0, damaged=True)
    captions = None
    if texts is not None:
        with suppress(AttributeError, IndexError, TypeError):  # a received log may hold anything
            captions = shear_texts(texts, job.records, job.family, job.shearing)
    if captions is None:
        contents = caption_log.read(job.log, job.records)
        if contents.digest != job.digest:
            return ShearedLog(job.task_id, 0, 0, damaged=True)
        captions = sheared_captions(contents, job.records, job.family, job.shearing)
    write_sheared(sheared_path(job.log, job.shearing, job.digest), captions, sync=False)
    return ShearedLog(job.task_id, job.records - captions.count(None), captions.count(""))
