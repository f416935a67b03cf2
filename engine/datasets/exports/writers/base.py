"""The parts that all export formats share: the plan, rows, the encoded shard, base writers."""

from __future__ import annotations

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from db.rows import ModelRow
from engine.captioners.model_families import ASKING_SETTINGS
from engine.captioners.record_prompt import drawn_prompt
from engine.captioners.settings import Settings
from engine.datasets.exports.image_files import ImageEncoding
from engine.datasets.exports.shard_captions import CaptionColumn, ShardCaptions
from engine.images.image import ImagePaths, map_prefix
from engine.protocol.caption_row import IMPORTED
from engine.utils import jsonlines

ORIGINAL = "original"
"""The name of the original caption where captions have names."""
LINE_BREAKS = re.compile(r"[\r\n\0\v\f\x1c-\x1e\x85\u2028\u2029]+")
"""The characters that a program which reads by lines may take for the end of one."""


OPEN = Settings()
"""The settings of a model of which none is set."""


class ColumnOrigin(NamedTuple):
    """The provenance of a column of captions, without the finish reason, which each caption has."""

    values: dict[str, Any]
    """Model, checkpoint, prompt, seed, and how else the model was asked, where that was set."""
    drawn_from: Settings | None = None
    """The settings by which each record gets one of several prompts; None if all get the same."""

    @classmethod
    def of_model(cls, model: ModelRow) -> ColumnOrigin:
        settings = Settings.of(model.settings)
        asked = {name: getattr(settings, name) for name in (*ASKING_SETTINGS, "max_tiles")}
        del asked["prompts"]
        values = {
            "model": model.name,
            "checkpoint": model.checkpoint,
            "prompt": model.settings.get("prompt"),
            "seed": model.settings.get("seed"),
        }
        values |= {name: it for name, it in asked.items() if it != getattr(OPEN, name)}
        return cls(values, settings if settings.prompts else None)

    def of_caption(self, record_id: int, finish: str | None) -> dict[str, Any]:
        """Return the provenance of a record's caption that ended so.

        Of a caption that was imported nothing is known but the model under which it was.
        """
        if finish == IMPORTED:
            return dict.fromkeys(self.values) | {"model": self.values["model"]}
        if self.drawn_from is None:
            return self.values
        return self.values | {"prompt": drawn_prompt(self.drawn_from, record_id)}


class QualityFields(NamedTuple):
    """The columns of quality: each has a value for each column of captions, by name."""

    names: Sequence[str]
    """The columns of captions."""
    agreement: Sequence[str]
    """Those of them that have an agreement; none in a project with one model."""
    scorers: Sequence[str]
    """The scorers, each of which has a score of each caption."""


@dataclass(frozen=True, kw_only=True)
class ExportPlan:
    """What an export writes, and how the program that reads it will find the images."""

    models: Sequence[ModelRow]
    with_original: bool
    """True if the original captions are written."""
    provenance: bool
    """True if the provenance of every caption is written."""
    image_root: str | None
    """Put before every relative image path, or None."""
    path_map: tuple[tuple[str, str], ...]
    """(old prefix, new prefix) of image paths; the first old one that fits is replaced."""
    image_mode: str
    """`copy`, `link` or `none`, for formats that have image files."""
    image_paths: ImagePaths
    """The rules by which the project itself finds the images."""
    out_name: str
    """The name that the file or folder has in the end; while it is written it has another."""
    text: str | None = None
    """The caption that each image is trained on: `original`, the name of a model, `random` for one
    that is drawn, `expand` for each in turn; None is the format's own way."""
    encoding: ImageEncoding | None = None
    """How image files are encoded again; None leaves them as they are."""
    tar_bytes: int | None = None
    """The size of a tar, in bytes, for formats that are tars; None gives each shard one."""
    with_uid: bool = False
    """True if a column `uid` is written, for formats that have columns."""
    with_list: bool = False
    """True if a column `captions` with the list of all captions is written as well."""
    quality: QualityFields | None = None
    """The columns of quality that are written as well, if any."""
    filters: tuple[str, ...] = ()
    """The options that left captions out, as `export` takes them."""

    @cached_property
    def names(self) -> list[str]:
        """The columns: the original first if it is written, then the models in project order."""
        return [ORIGINAL] * self.with_original + [model.name for model in self.models]

    @property
    def rewrites_paths(self) -> bool:
        """True if any image path may change."""
        return self.image_root is not None or bool(self.path_map)

    def map_path(self, image: str) -> str:
        """Return the image path as the program that reads the export will find it."""
        mapped = map_prefix(image, self.path_map)
        image = image if mapped is None else mapped
        if self.image_root is not None and not PurePosixPath(image).is_absolute():
            return str(PurePosixPath(self.image_root) / image)
        return image

    @cached_property
    def origins(self) -> list[ColumnOrigin]:
        """The provenance of each column."""
        unknown = {"checkpoint": None, "prompt": None, "seed": None}
        original = ColumnOrigin({"model": ORIGINAL} | unknown)
        return [original] * self.with_original + list(map(ColumnOrigin.of_model, self.models))


class ExportRow(NamedTuple):
    """One image with at least one caption; `captions` and `finishes` are in `plan.names`' order."""

    record_id: int
    """The record's 0-based position in the whole data set."""
    image: str
    """The image path, as the input writes it."""
    path: str
    """The image path, as the export writes it."""
    captions: Sequence[str | None]
    finishes: Sequence[str | None]
    """How the generation of each caption ended, or `imported`, if the plan asks for provenance."""
    quality: Mapping[str, Any] | None = None
    """The values of the columns of quality, if the plan has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedShard:
    """A shard in the form that is written."""

    pieces: list[Any]
    """What `Writer.append` gets: as a rule the bytes for each file of the format."""
    captions: int
    """Captions in the shard that are written."""
    images: int | None = None
    """Images that are written; None stands for all that have a caption."""
    unchosen: int = 0
    """Captions of the written images, and of those without it, that are not the chosen text."""
    unchosen_images: int = 0
    """Images that lack the chosen text."""
    bytes: int = 0
    """Bytes that were written already, besides the pieces."""


class Writer(ABC):
    """Appends encoded shards, in order, to `out`, a file or a folder that is not there yet.

    Its module also has `encode(plan, shard_captions, out)`, which returns the `EncodedShard` of a
    shard's captions and may run in another process.
    """

    def __init__(self, out: Path, plan: ExportPlan) -> None:
        """Begin the output. Raises `BadInput` if the plan does not fit the format."""
        self.out = out

    @abstractmethod
    def append(self, pieces: list[Any]) -> int:
        """Write the pieces of a shard, and return the number of bytes written."""

    def close(self) -> None:  # noqa: B027 (nothing to do for some)
        """End the output."""


class FileWriter(Writer):
    """A writer of one file, to which the bytes of every shard are appended."""

    def __init__(self, out: Path, plan: ExportPlan) -> None:
        super().__init__(out, plan)
        self.file = out.open("wb")

    def append(self, pieces: list[bytes]) -> int:
        return sum(map(self.file.write, pieces))

    def close(self) -> None:
        self.file.close()


def columns_of(plan: ExportPlan, shard_captions: ShardCaptions) -> list[CaptionColumn]:
    """Return the columns of captions in the order of `plan.names`."""
    return [shard_captions.originals] * plan.with_original + shard_captions.columns


def rows_of(plan: ExportPlan, shard_captions: ShardCaptions) -> Iterator[ExportRow]:
    """Yield the images of a shard; images that have no caption at all are passed over."""
    images, first = shard_captions.images, shard_captions.shard.first
    unknown: list[str | None] = [None] * len(images)
    finishes = [unknown] * plan.with_original + (
        shard_captions.finishes or [unknown] * len(shard_captions.columns)
    )
    texts = [
        [None if caption is None else jsonlines.loads(caption) for caption in column]
        for column in columns_of(plan, shard_captions)
    ]
    quality: Sequence[Mapping[str, Any] | None] = [None] * len(images)
    if plan.quality is not None:
        quality = shard_captions.quality
    rows = zip(images, zip(*texts, strict=True), zip(*finishes, strict=True), quality, strict=True)
    for record_id, (image, captions, row_finishes, known) in enumerate(rows, start=first):
        if any(captions):
            yield ExportRow(
                record_id=record_id,
                image=image,
                path=plan.map_path(image),
                captions=captions,
                finishes=row_finishes,
                quality=known,
            )


def captions_by_name(plan: ExportPlan, row: ExportRow) -> dict[str, Any]:
    """Return the row's captions by name, None where there is none.

    If the plan asks for them, `uid` stands before the captions, and behind them `captions`, a list
    of those that are there, `provenance`, by name, and the columns of quality.
    """
    values: dict[str, Any] = {"uid": uid_of(row)} if plan.with_uid else {}
    values |= zip(plan.names, row.captions, strict=True)
    if plan.with_list:
        values["captions"] = [caption for caption in row.captions if caption]
    if plan.provenance:
        values["provenance"] = {
            origin.values["model"]: {**origin.of_caption(row.record_id, finish), "finish": finish}
            for origin, finish, caption in zip(
                plan.origins, row.finishes, row.captions, strict=True
            )
            if caption
        }
    if row.quality is not None:
        values.update(row.quality)
    return values


def uid_of(row: ExportRow) -> str:
    """Return 32 hexadecimal digits that stand for the record in every export: a hash of its
    position and of its image path, as the input writes it."""
    text = f"{row.record_id} {row.image}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=16).hexdigest()


def count_captions(row: ExportRow) -> int:
    """Return how many captions the row has."""
    return len(row.captions) - row.captions.count(None)


def file_name(model: str) -> str:
    """Return a model's name as it can be a file's."""
    return re.sub(r"[^\w.+-]", "_", model)
