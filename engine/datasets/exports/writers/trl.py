"""`trl`: JSON Lines of messages as TRL documents them for images; one a caption.

The content of a message is a list of parts, of which one stands for the file in `images`. It is
loaded by `load_dataset("json", ...).cast_column("images", Sequence(Image()))`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.datasets.exports.shard_captions import ShardCaptions
from engine.datasets.exports.writers import base
from engine.datasets.exports.writers.base import FileWriter as Writer
from engine.datasets.exports.writers.conversation import REQUEST, conversation_lines

__all__ = ["Writer", "encode"]


def encode(plan: base.ExportPlan, shard_captions: ShardCaptions, out: Path) -> base.EncodedShard:
    question = [{"type": "image", "text": None}, *text_part(REQUEST)]
    return conversation_lines(plan, shard_captions, question, text_part)


def text_part(text: str) -> list[dict[str, Any]]:
    """Return a text as the content of a message. Every part has the same keys: `datasets` makes a
    table of them."""
    return [{"type": "text", "text": text}]
