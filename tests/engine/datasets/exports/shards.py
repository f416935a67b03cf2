"""Shards with captions, made without a project, and what a writer makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from db.rows import ModelRow, ShardRow
from engine.datasets.exports.formats import FORMATS
from engine.datasets.exports.shard_captions import ShardCaptions
from engine.datasets.exports.writers.base import EncodedShard, ExportPlan
from engine.images.image import ImagePaths
from engine.utils import jsonlines

Captions = Sequence[str | None]
"""The captions of one record: the original, then those of the models."""


def model(number: int) -> ModelRow:
    return ModelRow(
        id=number,
        position=number,
        name=f"m{number}",
        family="dry-run",
        checkpoint=f"/c{number}",
        settings={"prompt": "What?", "seed": number},
        settings_hash="h",
    )


def make_plan(**values: Any) -> ExportPlan:
    plain: dict[str, Any] = {
        "models": [model(1), model(2)],
        "with_original": False,
        "provenance": False,
        "image_root": None,
        "path_map": (),
        "image_mode": "none",
        "image_paths": ImagePaths("/images"),
        "out_name": "out.tsv",
    }
    return ExportPlan(**plain | values)


def shard_of(images: Sequence[str], captions: Sequence[Captions], first: int = 0) -> ShardCaptions:
    """Return a shard of records with these captions."""
    encoded = [
        [None if text is None else jsonlines.dumps(text) for text in column]
        for column in zip(*captions, strict=True)
    ]
    return ShardCaptions(
        shard=ShardRow(number=first, first=first, count=len(images), bytes=1, digest="d"),
        images=list(images),
        originals=encoded[0],
        columns=encoded[1:],
        finishes=[["stop"] * len(images)] * (len(encoded) - 1),
    )


def write(format: str, out: Path, plan: ExportPlan, *shards: ShardCaptions) -> list[EncodedShard]:
    """Write shards in a format, as an export does, and return what was encoded."""
    writer = FORMATS[format].writer_class()(out, plan)
    encoded = []
    for shard in shards:
        encoded.append(FORMATS[format].encode(plan, shard, out))
        writer.append(encoded[-1].pieces)
    writer.close()
    return encoded
