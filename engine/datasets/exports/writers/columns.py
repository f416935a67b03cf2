"""`columns`: JSON Lines, {"image", "original", MODEL, ...}, null where a caption is missing.

`engine.datasets.JointCaptions` and `datasets.load_dataset("json")` read it; one lone surrogate
would have the latter refuse the whole file.
"""

from __future__ import annotations

from pathlib import Path

from engine.datasets.exports.shard_captions import ShardCaptions
from engine.datasets.exports.writers import base
from engine.datasets.exports.writers.base import FileWriter as Writer
from engine.datasets.exports.writers.row_choice import Tally, fitting_rows
from engine.utils import jsonlines

__all__ = ["Writer", "encode"]


def encode(plan: base.ExportPlan, shard_captions: ShardCaptions, out: Path) -> base.EncodedShard:
    tally, lines = Tally(), []
    for row in fitting_rows(plan, shard_captions):
        values = {"image": row.path} | base.captions_by_name(plan, row)
        lines.append(jsonlines.dumps(values) + b"\n")
        tally.add(row)
    return tally.encoded([b"".join(lines)])
