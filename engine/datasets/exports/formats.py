"""The forms an export can take, by name."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Literal

from engine.utils.errors import BadInput

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from engine.datasets.exports.shard_captions import ShardCaptions
    from engine.datasets.exports.writers.base import Encoded, Plan, Writer

Images = Literal["copy", "link", "none"]


@dataclass(frozen=True, slots=True)
class Format:
    """An export format. Its `module`, in `writers`, holds `encode` and a class `Writer`."""

    name: str
    module: str
    summary: str
    suffix: str = ""
    """Of the file; a folder has none."""
    folder: bool = False
    """Whether it is a folder of several files."""
    provenance: bool = False
    """Whether there is a place for it."""
    original: bool = False
    """Whether the original caption always belongs to it."""
    images: tuple[Images, ...] = ()
    """What can be done with the image files, the first unless told otherwise."""

    def writer(self) -> type[Writer]:
        found: type[Writer] = self.loaded().Writer
        return found

    def encode(self, plan: Plan, part: ShardCaptions, out: Path) -> Encoded:
        found: Encoded = self.loaded().encode(plan, part, out)
        return found

    def loaded(self) -> ModuleType:
        return import_module(f"engine.datasets.exports.writers.{self.module}")


FORMATS = {
    form.name: form
    for form in (
        Format(
            "json",
            "json_array",
            'one array of {"image", "caption"}, upstream\'s form',
            ".json",
            provenance=True,
        ),
        Format("jsonl", "jsonl", 'one {"image", "caption"} a line', ".jsonl", provenance=True),
        Format("per-model", "per_model", "one such array a model", folder=True, provenance=True),
        Format(
            "columns",
            "columns",
            "JSON Lines, an image a line, a key a model",
            ".jsonl",
            provenance=True,
        ),
        Format("openclip", "openclip", "filepath and title, TSV or (OUT.csv) CSV", ".tsv"),
        Format(
            "wds",
            "wds",
            "WebDataset tars: KEY.jpg, KEY.txt, KEY.json with a key a model",
            folder=True,
            provenance=True,
            images=("copy", "none"),
        ),
        Format(
            "laclip",
            "laclip",
            "CSV of the originals and one aligned text file a model",
            folder=True,
            original=True,
        ),
        Format("dreamlip", "dreamlip", "CSV with a column a model", ".csv", original=True),
        Format("llava", "llava", "LLaVA conversations", ".json"),
        Format(
            "hf",
            "hf",
            "an image folder with metadata.jsonl for Hugging Face datasets",
            folder=True,
            provenance=True,
            images=("link", "copy", "none"),
        ),
        Format(
            "parquet",
            "parquet",
            "one row an image, one column a model",
            ".parquet",
            provenance=True,
        ),
    )
}


def format_named(name: str) -> Format:
    """Raises `BadInput`."""
    try:
        return FORMATS[name]
    except KeyError:
        raise BadInput(f"unknown format {name!r}: one of {', '.join(FORMATS)}") from None
