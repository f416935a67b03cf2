"""The formats that an export can have, by name.

Light to import: the modules that write them are imported when they are used.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Literal

from engine.utils.errors import BadInput

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from engine.datasets.exports.shard_captions import ShardCaptions
    from engine.datasets.exports.writers.base import EncodedShard, ExportPlan, Writer

ImageMode = Literal["copy", "link", "none"]
"""What to do with the image files: copy them, link to them, or leave them where they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportFormat:
    """An export format. Its `module`, in `writers`, holds `encode` and a class `Writer`."""

    name: str
    module: str
    summary: str
    """What the format is, in a line for people."""
    suffix: str = ""
    """The usual suffix of the file; empty for a folder."""
    folder: bool = False
    """True if the export is a folder of several files."""
    provenance: bool = False
    """True if the format can hold provenance."""
    needs_original: bool = False
    """True if the original caption always belongs to the format."""
    image_modes: tuple[ImageMode, ...] = ()
    """What can be done with the image files, the default first; none if the format has none."""
    encodes: bool = False
    """True if the image files can be encoded again."""
    text: bool = False
    """True if the captions that an image is trained on can be chosen (`ExportPlan.text`)."""
    columns: bool = False
    """True if the format has a column a model, and can have others beside these."""
    tars: bool = False
    """True if the format is tars, whose size can be chosen."""

    def writer_class(self) -> type[Writer]:
        """Return the format's class `Writer`."""
        writer: type[Writer] = self.load_module().Writer
        return writer

    def encode(self, plan: ExportPlan, shard_captions: ShardCaptions, out: Path) -> EncodedShard:
        """Return a shard in the form that is written, with the format's function `encode`."""
        encoded: EncodedShard = self.load_module().encode(plan, shard_captions, out)
        return encoded

    def load_module(self) -> ModuleType:
        """Import the module that writes the format."""
        return import_module(f"engine.datasets.exports.writers.{self.module}")


FORMATS = {
    export_format.name: export_format
    for export_format in (
        ExportFormat(
            name="json",
            module="json_array",
            summary='one array of {"image", "caption"}, upstream\'s form',
            suffix=".json",
            provenance=True,
        ),
        ExportFormat(
            name="jsonl",
            module="jsonl",
            summary='one {"image", "caption"} per line',
            suffix=".jsonl",
            provenance=True,
        ),
        ExportFormat(
            name="per-model",
            module="per_model",
            summary="one such array per model",
            folder=True,
            provenance=True,
        ),
        ExportFormat(
            name="columns",
            module="columns",
            summary="JSON Lines, one image per line, one key per model",
            suffix=".jsonl",
            provenance=True,
            columns=True,
        ),
        ExportFormat(
            name="openclip",
            module="openclip",
            summary="filepath and title, TSV or (OUT.csv) CSV",
            suffix=".tsv",
            text=True,
        ),
        ExportFormat(
            name="wds",
            module="wds",
            summary="WebDataset tars: KEY.jpg, KEY.txt, KEY.json with one key per model",
            folder=True,
            provenance=True,
            image_modes=("copy", "none"),
            encodes=True,
            text=True,
            tars=True,
            columns=True,
        ),
        ExportFormat(
            name="laclip",
            module="laclip",
            summary="CSV of the originals and one aligned text file per model",
            folder=True,
            needs_original=True,
        ),
        ExportFormat(
            name="dreamlip",
            module="dreamlip",
            summary="CSV with one column per model",
            suffix=".csv",
            needs_original=True,
        ),
        ExportFormat(
            name="llava",
            module="llava",
            summary="LLaVA conversations",
            suffix=".json",
            text=True,
        ),
        ExportFormat(
            name="hf",
            module="hf",
            summary="an image folder with metadata.jsonl for Hugging Face datasets",
            folder=True,
            provenance=True,
            image_modes=("link", "copy", "none"),
            encodes=True,
            columns=True,
        ),
        ExportFormat(
            name="parquet",
            module="parquet",
            summary="one row per image, one column per model",
            suffix=".parquet",
            provenance=True,
            columns=True,
        ),
        ExportFormat(
            name="sidefiles",
            module="sidefiles",
            summary="images, each with a .txt of one caption per line: sd-scripts, ai-toolkit, ...",
            folder=True,
            image_modes=("link", "copy"),
            encodes=True,
            text=True,
        ),
        ExportFormat(
            name="messages",
            module="messages",
            summary="JSON Lines of messages: ms-swift, LLaMA-Factory",
            suffix=".jsonl",
            text=True,
        ),
        ExportFormat(
            name="trl",
            module="trl",
            summary="JSON Lines of messages in parts, for TRL",
            suffix=".jsonl",
            text=True,
        ),
        ExportFormat(
            name="hub",
            module="hub",
            summary="Parquet with the images in it and a card, for the Hugging Face Hub",
            folder=True,
            provenance=True,
            encodes=True,
            columns=True,
        ),
    )
}
"""All export formats by name, in the order in which people see them."""


def format_named(name: str) -> ExportFormat:
    """Return the format with this name. Raises `BadInput`."""
    try:
        return FORMATS[name]
    except KeyError:
        raise BadInput(f"unknown format {name!r}: one of {', '.join(FORMATS)}") from None
