"""Reading the files of an import: each caption finds its record and goes into the spool."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from db.rows import ShardRow
from engine.datasets.inputs.batch import RecordBatch
from engine.datasets.inputs.input_report import BadRecord, CutShort, InputReport
from engine.datasets.inputs.open_input import InputSource, read_input
from engine.images.image import ImagePaths
from engine.operations.imports.caption_spool import CaptionSpool, row_lines
from engine.operations.imports.exported_tars import original_images, read_exported
from engine.operations.imports.image_keys import KeysJob, image_keys, read_keys, split_keys
from engine.operations.imports.import_result import FEWER, NO_CAPTION, TWINS, Counts
from engine.operations.imports.record_index import (
    NOT_FOUND,
    Chooser,
    Numbers,
    RecordIndex,
    hash_keys,
)
from engine.process.pool import map_on_all_cores
from engine.project.damage import DamagedFiles
from engine.project.layout import Project
from engine.project.shard_file import shard_damage
from engine.protocol.caption_row import RAW_CAPTION_LIMIT
from engine.utils.errors import BadInput

EXPORTED_NAME = re.compile(r"[0-9]{9}(-[0-9]{2})?")
"""The name without suffix that `export` gives an image, which is the number of its record."""


class CaptionReader:
    """Reads caption files for the records of a project."""

    def __init__(
        self, project: Project, shards: Sequence[ShardRow], paths: ImagePaths, counts: Counts
    ) -> None:
        """Read the image paths of all records. Raises `DamagedFiles`."""
        self.shards = shards
        self.paths = paths
        self.counts = counts
        self.index = RecordIndex(read_hashes(project, shards, paths))
        self.firsts = np.array([shard.first for shard in shards])
        self.has_caption = np.zeros(len(self.index), bool)
        """True at the record id of each record for which a caption was found."""
        self.captions = 0
        """The number of captions read."""
        self.strangers: list[str] = []
        """The first images that no record has."""

    def read(
        self,
        source: InputSource,
        path_map: Sequence[tuple[str, str]],
        which: int,
        spool: CaptionSpool,
        report: InputReport,
        progress: Callable[[int], None],
    ) -> str | None:
        """Read a file. Return what is wrong with one that ends in the middle, else None.

        `which` is the number, from 1, of the caption that is taken of several for one image. Raises
        `BadInput`, `OSError`.
        """
        chooser = Chooser(len(self.index), which)
        records = 0
        try:
            for batch in self.batches(source, path_map, report):
                records += len(batch)
                self.take_batch(source.path, batch, path_map, chooser, spool)
                progress(self.captions)
        except CutShort as error:
            return f"{error}: its {records:,} complete records were read"
        except BadRecord as error:
            raise BadInput(f"{error}; --skip-bad leaves out what cannot be read") from error
        finally:
            if which > 1:
                self.count_fewer(source.path, chooser)
        return None

    def batches(
        self, source: InputSource, path_map: Sequence[tuple[str, str]], report: InputReport
    ) -> Iterator[RecordBatch]:
        """Return the records of a file; those of exported tars by the images they were made of."""
        originals = original_images(source.path)
        if originals and (self.find(originals, path_map) != NOT_FOUND).any():
            return read_exported(source, report)
        return read_input(source, report)

    def count_fewer(self, path: Path, chooser: Chooser) -> None:
        """Count the images of which a file has fewer captions than the number of the wanted one."""
        fewer = np.flatnonzero((chooser.seen > 0) & (chooser.seen < chooser.which))
        records = np.sort(self.index.records[fewer])
        self.counts.add(FEWER, self.name_records(records), file=str(path))

    def take_batch(
        self,
        path: Path,
        batch: RecordBatch,
        path_map: Sequence[tuple[str, str]],
        chooser: Chooser,
        spool: CaptionSpool,
    ) -> None:
        """Put the captions of a batch into the spool that are to be taken, and count the others."""
        images, captions = batch.images, batch.captions
        self.captions += len(captions)
        lengths = np.fromiter(map(len, captions), np.int64, len(captions))
        is_blank = (lengths == 0) | np.fromiter(map(str.isspace, captions), bool, len(captions))
        positions = self.find(images, path_map)
        is_text = ~is_blank & (lengths <= RAW_CAPTION_LIMIT)
        is_found = positions != NOT_FOUND
        is_chosen = np.zeros(len(captions), bool)
        usable = np.flatnonzero(is_text & is_found)
        is_chosen[usable] = chooser.choose(positions[usable])
        is_twin = is_chosen & self.index.has_twins[positions]

        def count(reason: str, mask: NDArray[np.bool_]) -> None:
            if mask.any():
                names = [images[n] for n in np.flatnonzero(mask).tolist()]
                self.counts.add(reason, names, file=str(path))

        count("no_text", is_blank)
        count("too_long", ~is_blank & (lengths > RAW_CAPTION_LIMIT))
        count("no_record", is_text & ~is_found)
        count("another", is_text & is_found & ~is_chosen)
        count(TWINS, is_twin)
        chosen = np.flatnonzero(is_chosen)
        records = self.index.records[positions[chosen]]
        if is_twin.any():
            every = [self.index.records_at(p) for p in positions[chosen].tolist()]
            records = np.array([record for each in every for record in each])
            chosen = np.repeat(chosen, [len(each) for each in every])
        if not self.strangers:
            self.strangers = [images[n] for n in np.flatnonzero(~is_found)[:1].tolist()]
        self.has_caption[records] = True
        self.spool_captions(records, [captions[n] for n in chosen.tolist()], spool)

    def find(self, images: Sequence[str], path_map: Sequence[tuple[str, str]]) -> Numbers:
        """Return the first position in the index of each image, or `NOT_FOUND`.

        The project's own path map holds for what is written as its input was; paths that lie where
        that leads are found without it.
        """
        positions = self.index.find(image_keys(images, self.paths, path_map))
        if self.paths.path_map and (positions == NOT_FOUND).any():
            missing = np.flatnonzero(positions == NOT_FOUND)
            local = ImagePaths(self.paths.root)
            keys = image_keys([images[n] for n in missing.tolist()], local, path_map)
            positions[missing] = self.index.find(keys)
        return positions

    def spool_captions(self, records: Numbers, captions: list[str], spool: CaptionSpool) -> None:
        """Put the captions of records, which are given by their ids, into the spool by shard."""
        if not captions:
            return
        numbers = np.searchsorted(self.firsts, records, "right") - 1
        indices = (records - self.firsts[numbers]).tolist()
        lines = row_lines(indices, captions)
        order = np.argsort(numbers, kind="stable")
        ends = np.flatnonzero(np.diff(numbers[order])) + 1
        for group in np.split(order, ends):
            if len(group) == len(lines):  # the usual case: all are of one shard, in order
                spool.add(int(numbers[0]), indices, lines)
            else:
                chosen = group.tolist()
                spool.add(
                    int(numbers[chosen[0]]),
                    [indices[n] for n in chosen],
                    [lines[n] for n in chosen],
                )

    def count_records_without(self) -> int:
        """Return the number of records for which no caption was found, and list them."""
        without = np.flatnonzero(~self.has_caption)
        if self.counts.listing is not None:
            self.counts.add(NO_CAPTION, self.name_records(without))
        return len(without)

    def name_records(self, records: Numbers) -> list[str]:
        """Return the keys of records, which are given by their ids, as people write them."""
        numbers = np.searchsorted(self.firsts, records, "right") - 1
        indices = records - self.firsts[numbers]
        return [f"{n}:{i}" for n, i in zip(numbers.tolist(), indices.tolist(), strict=True)]

    def why_nothing(self) -> str:
        """Return why no caption was taken, and what to do about it."""
        if self.counts.reasons[FEWER]:
            return "no image has as many captions in one file as --which asks for"
        if not self.strangers:
            return "there are no captions: name their key or column with --caption-column"
        image = self.strangers[0]
        unknown = f"the project has no image such as {image}"
        if EXPORTED_NAME.fullmatch(PurePosixPath(image).stem):
            return (
                f"{unknown}: if 'export' gave the images these names (sidefiles, wds), export their"
                " captions in another format, such as columns"
            )
        parts = PurePosixPath(image).parts
        for start in range(1, len(parts)):
            if (self.index.find([str(PurePosixPath(*parts[start:]))]) != NOT_FOUND).all():
                old = str(PurePosixPath(*parts[:start])).rstrip("/") + "/"
                return f"{unknown}: try --path-map {old}="
        return f"{unknown}: --path-map OLD=NEW replaces a prefix of paths"


def read_hashes(
    project: Project, shards: Sequence[ShardRow], paths: ImagePaths
) -> Iterator[Numbers]:
    """Yield the hashes of the keys of each shard's records. Raises `DamagedFiles` at the end."""
    jobs = [KeysJob(project.shard_file(s.number), s.digest, s.count, paths) for s in shards]
    damaged = []
    for shard, joined in zip(shards, map_on_all_cores(read_keys, jobs), strict=True):
        if joined is None:
            damaged.append(shard_damage(project.shard_file(shard.number), shard.number))
        else:
            yield hash_keys(split_keys(joined))
    if damaged:
        raise DamagedFiles(damaged)
