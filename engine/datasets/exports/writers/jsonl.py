"""`jsonl`: JSON Lines with one {"image", "caption"} per line."""

from __future__ import annotations

from pathlib import Path

from engine.datasets.exports.shard_captions import ShardCaptions
from engine.datasets.exports.writers import base, caption_pairs
from engine.datasets.exports.writers.base import FileWriter as Writer

__all__ = ["Writer", "encode"]


def encode(plan: base.ExportPlan, shard_captions: ShardCaptions, out: Path) -> base.EncodedShard:
    objects = caption_pairs.objects_by_image(plan, shard_captions)
    lines = caption_pairs.join_objects(objects, b"\n")
    pieces = [lines + b"\n"] if objects else []
    return base.EncodedShard(pieces=pieces, captions=len(objects))
