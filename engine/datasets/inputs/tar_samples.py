"""Which files of a tar belong together, wherever they lie: each image with its texts.

WebDataset cuts a name at its first dot: `0.jpg`, `0.txt` and `0.seg.png` have the key `0`. Names
with dots of their own are read as people mean them: `photo.v2.jpg` belongs to `photo.v2.txt`. Where
a name occurs several times, no text is given to an image that it may not belong to.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from engine.datasets.inputs.file_names import is_image
from engine.datasets.inputs.sidecars import CAPTION_SUFFIXES, FURTHER, LONELY

WORDS = re.compile(r"[A-Za-z_-]+(\.[A-Za-z_-]+)*")
"""The first part of a double extension, such as `seg` in `0.seg.png`. A part with a number belongs
to the name: `photo.v2.jpg` is no picture of `photo`."""
OTHER_IMAGES = "further images of one sample"
UNCLEAR = "captions that may belong to several images"


class File(NamedTuple):
    """A file of a tar."""

    position: int
    """Its 0-based position among all files of the tar."""
    archive: int
    """The number of its archive, if several were joined."""
    path: str
    stem: str
    """The path without the last extension."""
    extension: str
    """The last extension, without its dot."""

    @property
    def text_rank(self) -> int | None:
        """The place of a text among those of its image, None for other files."""
        suffix = f".{self.extension.lower()}"
        return CAPTION_SUFFIXES.index(suffix) if suffix in CAPTION_SUFFIXES else None


@dataclass(slots=True)
class Sample:
    """An image with its texts, or texts that have no image so far."""

    stem: str
    archive: int
    image: File | None
    texts: list[File]
    """The texts in the order in which they count."""


class Grouping(NamedTuple):
    """What the files of one key are."""

    samples: list[Sample]
    """The samples, each with an image, in no order."""
    passed_over: list[tuple[str, File]]
    """The images and texts that are in none, each after the reason, which is a plural."""
    others: list[File]
    """The files that are neither images nor texts."""


def file_of(position: int, archive: int, path: str) -> File:
    """Return the file with this path."""
    dot = path.rfind(".")
    if dot <= path.rfind("/") + 1:
        return File(position, archive, path, path, "")
    return File(position, archive, path, path[:dot], path[dot + 1 :])


def key_of(path: str) -> str:
    """Return WebDataset's key: the path up to the first dot of the name."""
    start = path.rfind("/") + 1
    dot = path.find(".", start)
    return path if dot < 0 else path[:dot]


def group_files(
    key: str, files: list[File], holds_image: Callable[[File], bool] = lambda file: False
) -> Grouping:
    """Return the samples among the files of one key, which are in the order of the tar.

    `holds_image` tells whether a file whose extension is not an image's has an image's content.
    """
    grouping = Grouping([], [], [])
    without_image: list[Sample] = []
    for bundle in split_into_bundles(files):
        sample = make_sample(bundle, holds_image, grouping)
        if sample.image is not None:
            grouping.samples.append(sample)
        elif sample.texts:
            without_image.append(sample)
    if without_image or len(grouping.samples) > 1:
        join_by_name(key, without_image, grouping)
    return grouping


def split_into_bundles(files: list[File]) -> Iterator[list[File]]:
    """Split the files of a key into those that belong together by archive and stem."""
    by_stem: defaultdict[tuple[int, str], list[File]] = defaultdict(list)
    for file in files:
        by_stem[file.archive, file.stem].append(file)
    if all(map(has_no_repeat, by_stem.values())):
        yield from by_stem.values()
        return
    # Neighbours in the tar have the same distance to their place among the files of the key.
    runs = {file.position: file.position - place for place, file in enumerate(files)}
    for same_stem in by_stem.values():
        yield from [same_stem] if has_no_repeat(same_stem) else split_repeats(same_stem, runs)


def has_no_repeat(files: list[File]) -> bool:
    """Return True if no extension occurs twice."""
    return len({file.extension for file in files}) == len(files)


def split_repeats(files: list[File], runs: dict[int, int]) -> Iterator[list[File]]:
    """Split files of one stem among which names occur several times: only neighbours are sure to
    belong together, which have equal numbers in `runs`, by position.

    Neighbours with repeats among them are several samples if these have the same extensions.
    """
    for _, neighbours in groupby(files, key=lambda file: runs[file.position]):
        parts: list[list[File]] = [[]]
        for file in neighbours:
            if any(file.extension == other.extension for other in parts[-1]):
                parts.append([])
            parts[-1].append(file)
        extensions = [{file.extension for file in part} for part in parts]
        if all(each == extensions[0] for each in extensions):
            yield from parts
        else:
            yield from ([file] for part in parts for file in part)


def make_sample(
    files: list[File], holds_image: Callable[[File], bool], grouping: Grouping
) -> Sample:
    """Return the sample of files that belong together: the first image among them counts."""
    image = None
    texts: list[tuple[int, File]] = []
    others = []
    for file in files:
        rank = file.text_rank
        if rank is not None:
            texts.append((rank, file))
        elif not is_image(file.path):
            others.append(file)
        elif image is None:
            image = file
        else:
            grouping.passed_over.append((OTHER_IMAGES, file))
    if others and texts and image is None:
        image = next(filter(holds_image, others), None)
    grouping.others.extend(file for file in others if file is not image)
    texts.sort()
    first = files[0]
    return Sample(first.stem, first.archive, image, [file for _, file in texts])


def join_by_name(key: str, without_image: list[Sample], grouping: Grouping) -> None:
    """Give texts without an image of their stem beside them to the image that they belong to."""
    samples, passed_over, _ = grouping
    by_name: defaultdict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        by_name[sample.stem].append(sample)
        if sample.image is not None:
            by_name[sample.image.path].append(sample)
    plain = list(by_name[key])
    uncaptioned = [sample for sample in samples if not sample.texts]
    worded = [sample for sample in uncaptioned if is_worded(key, sample)]
    repeats = Counter((texts.archive, texts.stem) for texts in without_image)
    one_each = worded if len({sample.archive for sample in worded}) == len(worded) else []
    # Texts of the key itself come first: they decide which image is that of the sample.
    for texts in sorted(without_image, key=lambda sample: sample.stem != key):
        candidates = by_name[texts.stem]
        if not candidates and texts.stem == key:
            candidates = beside(texts, worded or uncaptioned)
            candidates = first_stem(candidates) if worded else candidates
            plain += candidates if worded else []
        elif not candidates and is_worded(key, texts):
            candidates = plain or one_each
        candidates = beside(texts, candidates)
        is_repeated = repeats[texts.archive, texts.stem] > 1
        if len(candidates) == 1 and not candidates[0].texts and not is_repeated:
            candidates[0].texts = texts.texts
            continue
        if not candidates:
            reason = LONELY
        else:
            is_further = len(candidates) == 1 and candidates[0].texts
            reason = FURTHER if is_further else UNCLEAR
        for file in texts.texts:
            # JSON beside another caption tells where the image was found, as a rule.
            if reason != FURTHER or file.extension.lower() != "json":
                passed_over.append((reason, file))
    further = {id(s) for s in worded if plain and not s.texts} - set(map(id, plain))
    passed_over += [(OTHER_IMAGES, s.image) for s in samples if id(s) in further and s.image]
    samples[:] = [sample for sample in samples if id(sample) not in further]


def is_worded(key: str, sample: Sample) -> bool:
    """Return True if what follows the key in the stem is the first part of a double extension."""
    return WORDS.fullmatch(sample.stem, len(key) + 1) is not None


def beside(texts: Sample, candidates: list[Sample]) -> list[Sample]:
    """Return those of the candidates in the texts' own archive, or all if there are none."""
    return [sample for sample in candidates if sample.archive == texts.archive] or candidates


def first_stem(candidates: list[Sample]) -> list[Sample]:
    """Return the candidates that have the first one's stem."""
    return [sample for sample in candidates if sample.stem == candidates[0].stem]
