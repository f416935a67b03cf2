"""`jsonl`: one {"image", "caption"} a line."""

from __future__ import annotations

from pathlib import Path

from engine.datasets.exports.shard_captions import ShardCaptions
from engine.datasets.exports.writers import base, caption_pairs
from engine.datasets.exports.writers.base import FileWriter as Writer

__all__ = ["Writer", "encode"]


def encode(plan: base.Plan, part: ShardCaptions, out: Path) -> base.Encoded:
    found = caption_pairs.by_image(plan, part)
    return base.Encoded([caption_pairs.joined(found, b"\n") + b"\n"] if found else [], len(found))
