"""`messages`: JSON Lines of messages, which ms-swift and LLaMA-Factory train on; one a caption.

`<image>` in the question stands for the file in `images`, as both document it. LLaMA-Factory ends
the training if their numbers differ, wherever the tag stands: a caption that holds one is left out.
TRL puts the image in by itself: the format `trl` is for it.
"""

from __future__ import annotations

from pathlib import Path

from engine.datasets.exports.shard_captions import ShardCaptions
from engine.datasets.exports.writers import base
from engine.datasets.exports.writers.base import FileWriter as Writer
from engine.datasets.exports.writers.conversation import (
    IMAGE_TAG,
    REQUEST,
    conversation_lines,
)

__all__ = ["Writer", "encode"]


def encode(plan: base.ExportPlan, shard_captions: ShardCaptions, out: Path) -> base.EncodedShard:
    return conversation_lines(plan, shard_captions, f"{IMAGE_TAG}{REQUEST}", str)
