"""`json`: one array of {"image", "caption"} in input order, which upstream trains on."""

from __future__ import annotations

from pathlib import Path

from engine.datasets.exports.shard_captions import ShardCaptions
from engine.datasets.exports.writers import base, caption_pairs
from engine.datasets.exports.writers.array_file import ArrayWriter as Writer

__all__ = ["Writer", "encode"]


def encode(plan: base.ExportPlan, shard_captions: ShardCaptions, out: Path) -> base.EncodedShard:
    objects = caption_pairs.objects_by_image(plan, shard_captions)
    pieces = [caption_pairs.join_objects(objects, b",\n")]
    return base.EncodedShard(pieces=pieces, captions=len(objects))
