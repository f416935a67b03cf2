"""What `new` sees of the input before days of GPU time: counts, duplicates, bad images."""

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

from engine.datasets.inputs.batch import Batch
from engine.images.image import ImagePaths, ImageProblem, exists, open_image
from engine.project.shard_file import read_shard

LOOKED_AT = 1000
"""The first records, whose images are looked for."""
SAMPLE = 100
"""Images all over the input that are opened and decoded."""
AHEAD = 64
"""Images a thread that wait to be looked at."""


@dataclass(frozen=True, slots=True)
class Duplicates:
    """`extra` records have an image path that an earlier record has; all are kept, in order."""

    extra: int = 0
    paths: int = 0
    """Image paths that occur more than once."""
    example: str = ""


@dataclass(slots=True)
class ImageCheck:
    """Images that were opened and decoded."""

    images: int = 0
    bad: Counter[str] = field(default_factory=Counter)
    """By kind of problem."""
    example: str = ""

    def note(self, image: str, problem: ImageProblem | None) -> None:
        self.images += 1
        if problem is not None:
            self.bad[problem.kind] += 1
            self.example = self.example or f"{image}: {problem.detail}"


class InputFindings:
    """What was seen of the input on the way through."""

    def __init__(self, paths: ImagePaths) -> None:
        self.paths = paths
        self.records = 0
        self.outside = 0
        """Records whose path climbs out of the image root."""
        self.looked = 0
        self.present = 0
        self.witness: str | None = None
        self.sample: list[str] = []
        self.hashes = array("q")
        """8 bytes a record; two paths of 15 million have one hash with a chance of 1 in 160,000."""
        self.random = random.Random(0)  # noqa: S311 (a sample, no secret)
        self.next_sample = 0
        self.climbs = any(".." in new for _, new in paths.path_map)

    def look(self, place: int, batch: Batch) -> None:
        self.records += len(batch.images)
        self.hashes.extend(map(hash, batch.images))
        for image in batch.images:
            if self.climbs or ".." in image:
                self.outside += is_outside(self.paths, image)
        if place < LOOKED_AT:
            for image in batch.images[: LOOKED_AT - place]:
                self.looked += 1
                if exists(self.paths, image):
                    self.present += 1
                    self.witness = self.witness or image
        self.draw(place, batch.images)

    def draw(self, place: int, images: list[str]) -> None:
        """A reservoir: every image is as likely to be in the sample."""
        for at, image in enumerate(images[: max(0, SAMPLE - place)]):
            self.sample.append(image)
            self.next_sample = place + at + 1
        while self.next_sample < place + len(images):
            self.sample[self.random.randrange(len(self.sample))] = images[self.next_sample - place]
            # Geometric steps; the share of places taken falls as the stream goes on.
            self.next_sample += 1 + int(self.random.expovariate(SAMPLE / (self.next_sample + 1)))

    def duplicates(self, shard_files: Iterable[Path]) -> Duplicates:
        """The shards are read again only where there is something to name."""
        hashes = np.frombuffer(self.hashes, dtype=np.int64)
        if not len(hashes):
            return Duplicates()
        hashes.sort()
        same = hashes[1:] == hashes[:-1]
        extra = int(same.sum())
        if not extra:
            return Duplicates()
        repeated = hashes[1:][same]
        starts = int((repeated[1:] != repeated[:-1]).sum()) + 1
        return Duplicates(extra, starts, first_twice(shard_files, set(repeated[:1000].tolist())))


def is_outside(paths: ImagePaths, image: str) -> bool:
    try:
        paths.resolve(image)
    except ImageProblem as problem:
        return problem.kind == "outside"
    return False


def first_twice(shard_files: Iterable[Path], hashes: set[int]) -> str:
    seen: dict[str, int] = {}
    for place, image in enumerate(images_of(shard_files)):
        if hash(image) in hashes:
            if image in seen:
                return f"{image} (records {seen[image]:,} and {place:,})"
            seen[image] = place
    return ""


def images_of(shard_files: Iterable[Path]) -> Iterator[str]:
    for path in shard_files:
        for _, record in read_shard(path):
            yield record["image"]


def look_at(
    paths: ImagePaths, images: Iterable[str], progress: Callable[[int], None] = lambda count: None
) -> ImageCheck:
    """Opens and decodes the images in parallel, in threads: Pillow decodes without the lock.

    What `progress` raises ends it, without the images that wait.
    """
    looked = ImageCheck()
    threads = min(32, 2 * (os.cpu_count() or 1))
    stream = iter(images)

    def check(image: str) -> tuple[str, ImageProblem | None]:
        try:
            open_image(paths.resolve(image)).decode()
        except ImageProblem as problem:
            return image, problem
        return image, None

    with ThreadPoolExecutor(threads, "check") as pool:
        while chunk := list(islice(stream, threads * AHEAD)):
            for image, problem in pool.map(check, chunk):
                looked.note(image, problem)
                progress(looked.images)
    return looked
