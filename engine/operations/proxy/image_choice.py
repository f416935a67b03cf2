"""Which images a proxy trains on, and which it is tested on: never the same picture on both sides.

Images are drawn by a digest of their paths: the same ones whenever the project has the same images.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engine.datasets.exports.counts import ExportCounts
from engine.datasets.exports.shard_captions import ExportSource
from engine.images.image import ImagePaths, ImageProblem, read_image_bytes
from engine.operations.proxy.complete_records import RecordsJob, find_candidates
from engine.process.pool import map_on_all_cores
from engine.project.damage import DamagedFiles
from engine.project.shard_file import read_shard
from engine.utils.errors import BadInput

READERS = 16
"""Threads that read image files: a network disk answers many at once."""
SPARE_IMAGES = 64
"""Images that are read at once beyond those that are needed: some are unreadable or copies."""
DIGEST_BYTES = 16
"""Bytes of the digest of a picture's file."""
TEST_SHARE = 10
"""Of so many images for training there is one for the test, unless a number is given."""
MAX_TEST_IMAGES = 1000
"""The most images for the test unless a number is given: as many as in Flickr30K's test set."""
MIN_TEST_IMAGES = 10
"""The fewest images for the test: among fewer, R@5 says nothing."""

RecordKey = tuple[int, int]
"""Shard number and index."""


@dataclass(frozen=True, slots=True)
class ImageChoice:
    """The chosen records, by shard, and what became of the others."""

    train: dict[int, set[int]] = field(hash=False)
    """The indices of the records for training, by shard number."""
    test: dict[int, set[int]] = field(hash=False)
    counts: dict[str, int] = field(hash=False)
    """What became of the project's images, by words for people."""

    @property
    def train_images(self) -> int:
        return sum(map(len, self.train.values()))

    @property
    def test_images(self) -> int:
        return sum(map(len, self.test.values()))


def choose_images(
    source: ExportSource,
    columns: Sequence[str],
    raw: bool,
    paths: ImagePaths,
    images: int | None,
    test_images: int | None,
    progress: Callable[[int, int], None],
) -> ImageChoice:
    """Draw `images` records for training (None: all that are left) and `test_images` for the test.

    A record needs a caption of each of `columns`. Of records with the same picture, by the bytes of
    its file, one is taken. `progress` gets the numbers of shards read and of all. Raises `BadInput`
    if there are too few, and `DamagedFiles`.
    """
    keys, counts = complete_records(source, columns, raw, progress)
    wanted_test = default_test_images(images or len(keys)) if test_images is None else test_images
    wanted = len(keys) if images is None else images + wanted_test
    distinct = DistinctPictures(source, paths)
    chosen = list(distinct.take(keys, wanted))
    if images is None:
        images = max(1, len(chosen) - wanted_test)
    left_out = {
        "known to be unreadable, missing or excluded": counts.unreadable_images,
        "without a caption that an arm needs": (
            counts.records - counts.unreadable_images - len(keys)
        ),
        "that cannot be read": distinct.unreadable,
        "with the same picture as another": distinct.copies,
    }
    if len(chosen) < images + wanted_test:
        others = ", ".join(f"{number:,} {what}" for what, number in left_out.items() if number)
        raise BadInput(
            f"there are {len(chosen):,} images for {images:,} to train on and {wanted_test:,} to"
            f" test on: ask for fewer with --images or --test-images{others and f' ({others})'}"
        )
    not_needed = len(keys) - len(chosen) - distinct.unreadable - distinct.copies
    return ImageChoice(
        train=by_shard(chosen[wanted_test:]),
        test=by_shard(chosen[:wanted_test]),
        counts={
            "to train on": images,
            "to be tested on": wanted_test,
            "not needed": not_needed,
            **left_out,
        },
    )


def complete_records(
    source: ExportSource,
    columns: Sequence[str],
    raw: bool,
    progress: Callable[[int, int], None],
) -> tuple[NDArray[np.int32], ExportCounts]:
    """Return the complete records in the order in which they are drawn, and what was counted.

    The array has the shape (records, 2): shard numbers and indices. Raises `DamagedFiles`.
    """
    counts = ExportCounts()
    order, keys = [], []
    jobs = (RecordsJob(source.of_shard(shard), tuple(columns), raw) for shard in source.shards)
    found_in_shards = zip(source.shards, map_on_all_cores(find_candidates, jobs), strict=True)
    for done, (shard, found) in enumerate(found_in_shards, start=1):
        counts.add(found.counts)
        order.append(found.order)
        keys.append(np.stack([np.full_like(found.indices, shard.number), found.indices], axis=1))
        progress(done, len(source.shards))
    if counts.damage:
        raise DamagedFiles(counts.damage)
    return np.concatenate(keys)[np.argsort(np.concatenate(order), kind="stable")], counts


def default_test_images(images: int) -> int:
    """Return the number of images for the test, from that for training."""
    return min(MAX_TEST_IMAGES, max(MIN_TEST_IMAGES, images // TEST_SHARE))


def by_shard(keys: Sequence[RecordKey]) -> dict[int, set[int]]:
    """Return the indices of records by shard number."""
    chosen: dict[int, set[int]] = {}
    for shard, i in keys:
        chosen.setdefault(shard, set()).add(i)
    return chosen


class DistinctPictures:
    """Takes records whose image can be read and is not that of an earlier one."""

    def __init__(self, source: ExportSource, paths: ImagePaths) -> None:
        self.source = source
        self.paths = paths
        self.unreadable = 0
        """Images that cannot be read any more."""
        self.copies = 0
        """Images whose file has the same bytes as an earlier one's."""

    def take(self, keys: NDArray[np.int32], count: int) -> Iterator[RecordKey]:
        """Yield so many records in the order of `keys`, or as many as there are.

        `keys` has the shape (records, 2): shard numbers and indices. Raises `BadInput`.
        """
        seen: set[bytes] = set()
        start = 0
        with ThreadPoolExecutor(READERS) as readers:
            while start < len(keys) and len(seen) < count:
                end = start + count - len(seen) + SPARE_IMAGES
                piece = [(int(shard), int(i)) for shard, i in keys[start:end]]
                names = self.names_of(piece)
                digests = readers.map(self.digest, (names[key] for key in piece))
                for key, digest in zip(piece, digests, strict=True):
                    if len(seen) == count:
                        break
                    if digest is None:
                        self.unreadable += 1
                    elif digest in seen:
                        self.copies += 1
                    else:
                        seen.add(digest)
                        yield key
                start = end

    def names_of(self, keys: Sequence[RecordKey]) -> dict[RecordKey, str]:
        """Return the image paths of records, as the input writes them. Raises `BadInput`."""
        return {
            (number, i): record["image"]
            for number, chosen in by_shard(keys).items()
            for i, record in read_shard(self.source.project.shard_file(number))
            if i in chosen
        }

    def digest(self, image: str) -> bytes | None:
        """Return a digest of an image's file; None if it cannot be read."""
        try:
            data = read_image_bytes(self.paths.resolve(image))
        except ImageProblem:
            return None
        return hashlib.blake2b(data, digest_size=DIGEST_BYTES).digest()
