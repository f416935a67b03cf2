"""The captions of one model in one shard, as far as a search has to know them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from engine.project import log_rows
from engine.project.caption_log import read_if_there
from engine.project.damage import DamagedFiles
from engine.project.finished_log import is_unchanged, log_damage
from engine.project.health_file import caption_texts
from engine.project.log_rows import CaptionText
from engine.project.log_search import SearchedText, find_text
from engine.project.sheared_file import read_sheared, shear_texts, sheared_path
from engine.project.task_health import HealthJob, HealthLog, counted_health
from engine.protocol.caption_row import ErrorRow
from engine.quality.batch_finder import BatchFinder, Caption
from engine.quality.defects import OF_THE_RAW_TEXT, DefectFinder
from engine.quality.shard_health import NO_TEXT, Hashes, ShardHealth, count_words, text_hash
from engine.quality.vocabulary import Vocabulary
from engine.quality.words import words_of
from engine.utils import jsonlines

Mask = NDArray[np.bool_]
"""True for some of the records of a shard."""


class Column:
    """What a caption log says, read when it is first asked for."""

    def __init__(self, job: HealthJob, log: HealthLog) -> None:
        self.job = job
        self.log = log
        self.count = job.shard.count

    @cached_property
    def data(self) -> bytes:
        """The whole lines of the log. Raises `DamagedFiles`, `OSError`."""
        log, task = self.log.log, self.log.task
        data = read_if_there(log)
        if task.state == "done" and not is_unchanged(log, task):
            raise DamagedFiles([log_damage(log, task)])
        return data[: data.rfind(b"\n") + 1]

    @cached_property
    def captions(self) -> dict[int, CaptionText]:
        """The caption of each record that has one."""
        return caption_texts(self.data, self.count)

    @cached_property
    def has_caption(self) -> Mask:
        """True where a record has a caption."""
        if self.log.task.captioned == self.count and self.log.task.state == "done":
            return self.mask_of(range(self.count))
        return self.mask_of(self.captions)

    @cached_property
    def failures(self) -> dict[int, ErrorRow]:
        """The last error of each record that has no caption."""
        if b'"error"' not in self.data:
            return {}
        return log_rows.parse_log(self.data, self.count).errors

    @cached_property
    def sheared(self) -> Sequence[str | None]:
        """The sheared caption of each record, None where there is none."""
        task, shearing = self.log.task, self.job.shearing
        if task.state == "done" and task.digest is not None:
            try:
                path = sheared_path(self.log.log, shearing, task.digest)
                lines = read_sheared(path, self.count)
                if lines is not None:
                    return jsonlines.loads_lines(b"\n".join([*lines, b""]))
            except (FileNotFoundError, ValueError):
                pass  # it is made again by the next export
        return shear_texts(self.captions.values(), self.count, self.log.family, shearing)

    @cached_property
    def health(self) -> ShardHealth | None:
        """What `quality` counted, None unless it knows all captions."""
        return counted_health(self.job, self.log)

    def mask_of(self, indices: Iterable[int]) -> Mask:
        """Return the mask of the records with these indices."""
        mask = np.zeros(self.count, bool)
        mask[list(indices)] = True
        return mask

    def with_text(self, text: str, of_failures: bool) -> Mask:
        """Return which raw captions hold a text, or which errors of failures."""
        wanted = SearchedText(text)
        if not of_failures:
            return self.mask_of(find_text(self.data, self.count, wanted))
        errors = self.failures.items()
        return self.mask_of({i for i, row in errors if wanted.is_in(f"{row.error}: {row.detail}")})

    def words(self) -> NDArray[np.float64]:
        """Return the number of words of each sheared caption, NaN where there is none."""
        numbers = (np.nan if text is None else count_words(text) for text in self.sheared)
        return np.fromiter(numbers, np.float64, self.count)

    def with_defect(self, bit: int) -> Mask:
        """Return which captions have a defect, by its bit."""
        if self.health is not None:
            found_before: Mask = self.health.flag_array() & np.uint16(bit) != 0
            return found_before
        finder = DefectFinder(self.job.language, self.log.prompts, bit)
        sheared = [""] * self.count if not bit & ~OF_THE_RAW_TEXT else self.sheared
        captions = [
            Caption(i, raw, finish, sheared[i] or "") for i, raw, finish in self.captions.values()
        ]
        vocabulary = Vocabulary()
        columns = vocabulary.columns_of([caption.sheared for caption in captions])
        found = BatchFinder(finder, vocabulary).find(captions, columns)
        return self.mask_of(n.i for n, defects in zip(captions, found, strict=True) if defects)

    def hashes(self) -> Hashes:
        """Return the hash of each sheared caption, 0 where there is none or it has no word."""
        if self.health is not None:
            return self.health.hash_array()
        hashes = [text_hash(text) if text and words_of(text) else NO_TEXT for text in self.sheared]
        return np.frombuffer(b"".join(hashes), np.uint64)
