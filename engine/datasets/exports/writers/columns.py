"""`columns`: JSON Lines, {"image", "original", MODEL, ...}, null where a caption is missing.

`engine.datasets.JointCaptions` and `datasets.load_dataset("json")` read it.
"""

from __future__ import annotations

from pathlib import Path

from engine.datasets.exports.shard_captions import ShardCaptions
from engine.datasets.exports.writers import base
from engine.datasets.exports.writers.base import FileWriter as Writer
from engine.utils import jsonlines

__all__ = ["Writer", "encode"]


def encode(plan: base.Plan, part: ShardCaptions, out: Path) -> base.Encoded:
    captions, lines = 0, []
    for row in base.rows_of(plan, part):
        lines.append(jsonlines.dumps({"image": row.path} | base.named(plan, row)) + b"\n")
        captions += base.captions_in(row)
    return base.Encoded([b"".join(lines)], captions)
