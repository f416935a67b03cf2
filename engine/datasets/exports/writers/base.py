"""What every export writer shares."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from db.rows import ModelRow
from engine.datasets.exports.shard_captions import Column, ShardCaptions
from engine.images.image import ImagePaths
from engine.utils import jsonlines

ORIGINAL = "original"
"""What the original caption is called where captions have names."""
BREAKS = re.compile(r"[\r\n\0\v\f\x1c-\x1e\x85\u2028\u2029]+")


@dataclass(frozen=True)
class Plan:
    """What is written, and how the reader will find the images."""

    models: Sequence[ModelRow]
    with_original: bool
    provenance: bool
    image_root: str | None
    path_map: tuple[tuple[str, str], ...]
    images: str
    """copy, link or none, where the format has image files."""
    paths: ImagePaths
    """Where the project finds them."""

    @cached_property
    def names(self) -> list[str]:
        """The columns: the original first if it is wanted, then the models in project order."""
        return [ORIGINAL] * self.with_original + [model.name for model in self.models]

    @property
    def rewrites_paths(self) -> bool:
        """Whether any path changes."""
        return self.image_root is not None or bool(self.path_map)

    def mapped(self, image: str) -> str:
        """The path as the reader of the export will find it."""
        for old, new in self.path_map:
            if image.startswith(old):
                return new + image[len(old) :]
        if self.image_root is not None and not PurePosixPath(image).is_absolute():
            return str(PurePosixPath(self.image_root) / image)
        return image

    @cached_property
    def origins(self) -> list[dict[str, Any]]:
        """Provenance of each column, but for the finish reason of each caption."""
        unknown = {"checkpoint": None, "prompt": None, "seed": None}
        return [{"model": ORIGINAL} | unknown] * self.with_original + [
            {
                "model": model.name,
                "checkpoint": model.checkpoint,
                "prompt": model.settings.get("prompt"),
                "seed": model.settings.get("seed"),
            }
            for model in self.models
        ]


@dataclass(frozen=True, slots=True)
class Row:
    """One image with at least one caption; `captions` and `finishes` are in `plan.names`' order."""

    place: int
    """In the whole input."""
    image: str
    """As the input wrote it."""
    path: str
    captions: Sequence[str | None]
    finishes: Sequence[str | None]


@dataclass(frozen=True, slots=True)
class Encoded:
    """A shard in the form that is written: what each file of the format gets."""

    pieces: list[Any]
    captions: int
    unfit: int = 0
    """Images that the format cannot hold."""
    bytes: int = 0
    """What was written already, beside the pieces."""


class Writer(ABC):
    """Appends encoded shards, in order, to `out`, a file or a folder that is not there yet.

    Its module has `encode(plan, part, out)` too, which makes an `Encoded` of a shard's captions
    and may run in another process.
    """

    def __init__(self, out: Path, plan: Plan) -> None:
        """Raises `BadInput` if the plan does not fit the format."""
        self.out = out

    @abstractmethod
    def append(self, pieces: list[Any]) -> int:
        """Returns the bytes written."""

    def close(self) -> None:  # noqa: B027 (nothing to do for some)
        """Ends the file."""


class FileWriter(Writer):
    """One file that grows by bytes."""

    def __init__(self, out: Path, plan: Plan) -> None:
        super().__init__(out, plan)
        self.file = out.open("wb")

    def append(self, pieces: list[bytes]) -> int:
        return sum(map(self.file.write, pieces))

    def close(self) -> None:
        self.file.close()


def columns_of(plan: Plan, part: ShardCaptions) -> list[Column]:
    """In the order of `plan.names`."""
    return [part.originals] * plan.with_original + part.columns


def rows_of(plan: Plan, part: ShardCaptions) -> Iterator[Row]:
    """Images that have no caption at all are passed over."""
    nothing: list[str | None] = [None] * len(part.images)
    finishes = [nothing] * plan.with_original + (part.finishes or [nothing] * len(part.columns))
    texts = [
        [None if caption is None else jsonlines.loads(caption) for caption in column]
        for column in columns_of(plan, part)
    ]
    columns = zip(part.images, zip(*texts, strict=True), zip(*finishes, strict=True), strict=True)
    for place, (image, captions, ends) in enumerate(columns, start=part.shard.first):
        if any(captions):
            yield Row(place, image, plan.mapped(image), captions, ends)


def named(plan: Plan, row: Row) -> dict[str, Any]:
    """The row's captions by name, None where there is none, and their provenance if asked."""
    found: dict[str, Any] = dict(zip(plan.names, row.captions, strict=True))
    if plan.provenance:
        found["provenance"] = {
            origin["model"]: {**origin, "finish": finish}
            for origin, finish, caption in zip(
                plan.origins, row.finishes, row.captions, strict=True
            )
            if caption
        }
    return found


def captions_in(row: Row) -> int:
    return sum(caption is not None for caption in row.captions)


def one_line(text: str) -> str:
    """Without what a reader by lines takes for the end of one."""
    return BREAKS.sub(" ", text)


def file_name(model: str) -> str:
    """A model's name as a file's."""
    return re.sub(r"[^\w.+-]", "_", model)
