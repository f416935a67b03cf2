"""One caption log sheared again. Light to import: other processes start with it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from engine.project import caption_log
from engine.project.sheared_file import put_sheared, shear_rows, sheared_captions, sheared_file
from engine.shearing.shear import Shearing
from engine.utils.errors import BadInput


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


def shear_log(job: Job) -> Done:
    """Raises `BadInput` if the log is not the one that was read back when its task ended."""
    try:
        rows = caption_log.read_known(job.log, job.digest, job.rows)
    except FileNotFoundError as error:
        raise BadInput(
            f"{job.log} is missing, its task is done: 'mllmaug-tui run' makes it again"
        ) from error
    if rows is not None:
        captions = shear_rows(rows, job.records, job.family, job.shearing)
    else:
        contents = caption_log.read(job.log, job.records)
        if contents.digest != job.digest:
            raise BadInput(
                f"{job.log} was changed after its task was done: 'mllmaug-tui run' redoes what"
                " it lacks"
            )
        captions = sheared_captions(contents, job.records, job.family, job.shearing)
    put_sheared(sheared_file(job.log, job.shearing, job.digest), captions, sync=False)
    return Done(job.task_id, job.records - captions.count(None), captions.count(""))
