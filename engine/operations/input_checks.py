"""Checks of the input of a new project, before days of GPU time: duplicates, missing images, bad
images.

`InputFindings` looks at the records on their way into the shards; `check_images` opens images.
"""

from __future__ import annotations

import os
import random
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np

from engine.datasets.inputs.batch import RecordBatch
from engine.images.image import ImagePaths, ImageProblem, image_exists, lies_in, open_image
from engine.project.shard_file import read_shard

FIRST_IMAGES = 1000
"""The number of records at the start of the input whose image files are looked for."""
SAMPLE_SIZE = 100
"""The number of images, spread all over the input, that are opened and decoded."""
IMAGES_PER_THREAD = 64
"""The number of images per thread that are queued at a time."""


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Image paths that occur in several records; all records are kept, in order."""

    extra: int = 0
    """The number of records whose image path an earlier record has."""
    paths: int = 0
    """The number of image paths that occur more than once."""
    example: str = ""
    """One of these paths and its first two records, for a message."""


@dataclass(slots=True, kw_only=True)
class ImageCheck:
    """The outcome for all images that were opened and decoded."""

    images: int = 0
    """The number of images, good and bad ones."""
    bad: Counter[str] = field(default_factory=Counter)
    """The number of images that cannot be captioned, by kind of problem."""
    example: str = ""
    """The first of these, and its problem."""
    links: int = 0
    """The number of images that lie outside the image root although their paths do not say so."""
    link_example: str = ""
    """The first of these."""

    def add(self, image: str, problem: ImageProblem | None, links_out: bool) -> None:
        self.images += 1
        if problem is not None:
            self.bad[problem.kind] += 1
            self.example = self.example or f"{image}: {problem.detail}"
        if links_out:
            self.links += 1
            self.link_example = self.link_example or image


class InputFindings:
    """The checks of the records that went into the shards so far."""

    def __init__(self, paths: ImagePaths) -> None:
        self.paths = paths
        self.records = 0
        """The number of records so far."""
        self.outside = 0
        """The number of records whose path climbs out of the image root: they will fail."""
        self.outside_example = ""
        """The first of these paths."""
        self.leaving = 0
        """The number of other records whose path, as written, leads out of the image root. A model
        on this machine reads them."""
        self.leaving_example = ""
        """The first of these paths."""
        self.images_checked = 0
        """The number of images whose files were looked for: of the first records."""
        self.images_present = 0
        """The number of these images that exist."""
        self.missing_example = ""
        """The first image whose file is not there, as the input names it."""
        self.witness: str | None = None
        """The first image that exists, as the input names it."""
        self.sample: list[str] = []
        """A random sample of all images, to be opened later."""
        self.hashes = array("q")
        """One hash of 8 bytes per image path. The chance that two of 15 million paths share one is
        1 in 160,000."""
        self.random = random.Random(0)  # noqa: S311 (a sample, no secret)
        self.next_sample = 0
        """The record, by its 0-based position in the input, that enters the sample next."""
        self.path_map_leaves = any(".." in new or new[:1] == os.sep for _, new in paths.path_map)
        self.root_prefixes = root_prefixes(paths.root)

    def add_batch(self, first: int, batch: RecordBatch) -> None:
        """Look at the next records, of which the first has the record id `first`."""
        self.records += len(batch.images)
        self.hashes.extend(map(hash, batch.images))
        for image in batch.images:
            if self.path_map_leaves or ".." in image or image[:1] == os.sep:
                self.look_where_it_leads(image)
        if first < FIRST_IMAGES:
            for image in batch.images[: FIRST_IMAGES - first]:
                self.images_checked += 1
                if image_exists(self.paths, image):
                    self.images_present += 1
                    self.witness = self.witness or image
                else:
                    self.missing_example = self.missing_example or image
        self.add_to_sample(first, batch.images)

    def look_where_it_leads(self, image: str) -> None:
        """Count a path that leads out of the image root."""
        try:
            path = image
            # Normalising millions of absolute paths would take a quarter of the time of `new`.
            if self.paths.path_map or ".." in image or "/./" in image or "//" in image:
                path = os.path.normpath(self.paths.resolve(image))
        except ImageProblem as problem:
            if problem.kind == "outside":
                self.outside += 1
                self.outside_example = self.outside_example or image
            return
        if not path.startswith(self.root_prefixes):
            self.leaving += 1
            self.leaving_example = self.leaving_example or image

    def add_to_sample(self, first: int, images: list[str]) -> None:
        """Sample by reservoir: in the end every image is equally likely to be in the sample."""
        for record_id, image in enumerate(images[: max(0, SAMPLE_SIZE - first)], start=first):
            self.sample.append(image)
            self.next_sample = record_id + 1
        while self.next_sample < first + len(images):
            self.sample[self.random.randrange(len(self.sample))] = images[self.next_sample - first]
            # Geometric steps: the share of records that enter falls as the stream goes on.
            rate = SAMPLE_SIZE / (self.next_sample + 1)
            self.next_sample += 1 + int(self.random.expovariate(rate))

    def duplicates(self, shard_files: Iterable[Path]) -> Duplicates:
        """Return the duplicates. The shards are read again only if there is an example to find."""
        hashes = np.frombuffer(self.hashes, dtype=np.int64)
        if not len(hashes):
            return Duplicates()
        hashes.sort()
        is_repeat = hashes[1:] == hashes[:-1]
        extra = int(is_repeat.sum())
        if not extra:
            return Duplicates()
        repeated = hashes[1:][is_repeat]
        paths = int((repeated[1:] != repeated[:-1]).sum()) + 1
        example = first_duplicate(shard_files, set(repeated[:1000].tolist()))
        return Duplicates(extra, paths, example)


def root_prefixes(root: str) -> tuple[str, str]:
    """Return how paths in the image root begin: as the root is named, and as it really lies."""
    return os.path.join(os.path.normpath(root), ""), os.path.join(os.path.realpath(root), "")  # noqa: PTH118


def first_duplicate(shard_files: Iterable[Path], hashes: set[int]) -> str:
    """Return the first image path with one of these hashes that occurs twice, and its records."""
    first_ids: dict[str, int] = {}
    for record_id, image in enumerate(image_paths(shard_files)):
        if hash(image) in hashes:
            if image in first_ids:
                return f"{image} (records {first_ids[image]:,} and {record_id:,})"
            first_ids[image] = record_id
    return ""


def image_paths(shard_files: Iterable[Path]) -> Iterator[str]:
    """Yield the image of every record of these shards, in order."""
    for path in shard_files:
        for _, record in read_shard(path):
            yield record["image"]


def check_images(
    paths: ImagePaths, images: Iterable[str], progress: Callable[[int], None] = lambda count: None
) -> ImageCheck:
    """Open and decode the images in parallel, in threads: Pillow decodes without the GIL.

    `progress` gets the number of images done. What it raises ends the check early.
    """
    result = ImageCheck()
    threads = min(32, 2 * (os.cpu_count() or 1))
    stream = iter(images)

    prefixes = root_prefixes(paths.root)

    def check(image: str) -> tuple[str, ImageProblem | None, bool]:
        try:
            path = paths.resolve(image)
            open_image(path).decode()
        except ImageProblem as problem:
            return image, problem, False
        is_written_inside = os.path.normpath(path).startswith(prefixes)
        return image, None, is_written_inside and not lies_in(path, paths.root)

    with ThreadPoolExecutor(threads, "check") as pool:
        while chunk := list(islice(stream, threads * IMAGES_PER_THREAD)):
            for image, problem, links_out in pool.map(check, chunk):
                result.add(image, problem, links_out)
                progress(result.images)
    return result
