"""`jsonl`: one {"image", "caption"} a line."""

from __future__ import annotations

from pathlib import Path

from engine.datasets.columns import ShardCaptions
from engine.datasets.writers import base, pairs
from engine.datasets.writers.base import FileWriter as Writer

__all__ = ["Writer", "encode"]


def encode(plan: base.Plan, part: ShardCaptions, out: Path) -> base.Encoded:
    found = pairs.by_image(plan, part)
    return base.Encoded([pairs.joined(found, b"\n") + b"\n"] if found else [], len(found))
