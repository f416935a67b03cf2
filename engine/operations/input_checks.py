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
from engine.images.image import ImagePaths, ImageProblem, image_exists, open_image
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


@dataclass(slots=True)
class ImageCheck:
    """The outcome for all images that were opened and decoded."""

    images: int = 0
    """The number of images, good and bad ones."""
    bad: Counter[str] = field(default_factory=Counter)
    """The number of images that cannot be captioned, by kind of problem."""
    example: str = ""
    """The first of these, and its problem."""

    def add(self, image: str, problem: ImageProblem | None) -> None:
        self.images += 1
        if problem is not None:
            self.bad[problem.kind] += 1
            self.example = self.example or f"{image}: {problem.detail}"


class InputFindings:
    """The checks of the records that went into the shards so far."""

    def __init__(self, paths: ImagePaths) -> None:
        self.paths = paths
        self.records = 0
        """The number of records so far."""
        self.outside = 0
        """The number of records whose path climbs out of the image root."""
        self.images_checked = 0
        """The number of images whose files were looked for: of the first records."""
        self.images_present = 0
        """The number of these images that exist."""
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
        self.path_map_climbs = any(".." in new for _, new in paths.path_map)

    def add_batch(self, first: int, batch: RecordBatch) -> None:
        """Look at the next records, of which the first has the record id `first`."""
        self.records += len(batch.images)
        self.hashes.extend(map(hash, batch.images))
        for image in batch.images:
            if self.path_map_climbs or ".." in image:
                self.outside += is_outside(self.paths, image)
        if first < FIRST_IMAGES:
            for image in batch.images[: FIRST_IMAGES - first]:
                self.images_checked += 1
                if image_exists(self.paths, image):
                    self.images_present += 1
                    self.witness = self.witness or image
        self.add_to_sample(first, batch.images)

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


def is_outside(paths: ImagePaths, image: str) -> bool:
    """True if the path of an image climbs out of the image root."""
    try:
        paths.resolve(image)
    except ImageProblem as problem:
        return problem.kind == "outside"
    return False


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

    def check(image: str) -> tuple[str, ImageProblem | None]:
        try:
            open_image(paths.resolve(image)).decode()
        except ImageProblem as problem:
            return image, problem
        return image, None

    with ThreadPoolExecutor(threads, "check") as pool:
        while chunk := list(islice(stream, threads * IMAGES_PER_THREAD)):
            for image, problem in pool.map(check, chunk):
                result.add(image, problem)
                progress(result.images)
    return result
