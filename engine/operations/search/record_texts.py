"""Which records of one shard have an original caption, or an image path, with a text.

Imports little: the processes of a pool start with it.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress

import numpy as np

from engine.operations.search.column import Mask
from engine.operations.search.query import HasRecordText
from engine.project.damage import DamagedFiles
from engine.project.log_rows import digest
from engine.project.log_search import SearchedText, lines_to_parse
from engine.project.shard_file import parse_shard, shard_damage
from engine.project.task_health import HealthJob
from engine.utils.plain_files import read_bytes


def records_with_texts(
    job: HealthJob, conditions: Collection[HasRecordText]
) -> dict[HasRecordText, Mask]:
    """Return which records of a shard meet each condition. Raises `DamagedFiles`, `OSError`."""
    if not conditions:
        return {}
    data = b""
    with suppress(FileNotFoundError):
        data = read_bytes(job.shard_file)
    try:
        if digest(data) != job.shard.digest or not data.endswith(b"\n"):
            raise ValueError("the file has another digest")
        return {each: with_text(data, job.shard.count, each) for each in conditions}
    except ValueError as error:  # a received shard may hold anything
        raise DamagedFiles([shard_damage(job.shard_file, job.shard.number)]) from error


def with_text(data: bytes, count: int, condition: HasRecordText) -> Mask:
    """Return which of `count` records meet a condition.

    `data` are the bytes of their shard file. Raises `ValueError` if they are no such records.
    """
    wanted = SearchedText(condition.text)
    mask = np.zeros(count, bool)
    if wanted.spellings[0] and next(lines_to_parse(data, wanted), None) is None:
        return mask  # no line can hold the text, which is known ten times faster
    for i, record in enumerate(parse_shard(data, count)):
        text = record.get(condition.key)
        mask[i] = isinstance(text, str) and text != "" and wanted.is_in(text)
    return mask
