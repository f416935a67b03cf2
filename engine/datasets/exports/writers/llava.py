"""`llava`: LLaVA's conversations JSON, with one question and answer per caption.

LLaVA's `LazySupervisedDataset` reads it: `image` below `--image_folder`, `<image>` in the first
turn, the turns called human and gpt.
"""

from __future__ import annotations

from pathlib import Path

from engine.datasets.exports.shard_captions import ShardCaptions
from engine.datasets.exports.writers import base
from engine.datasets.exports.writers.array_file import ArrayWriter as Writer
from engine.utils import jsonlines

__all__ = ["Writer", "encode"]

QUESTION = "<image>\nDescribe the image in English."
"""The human's turn of every conversation."""


def encode(plan: base.ExportPlan, shard_captions: ShardCaptions, out: Path) -> base.EncodedShard:
    conversations = [
        jsonlines.dumps(
            {
                "id": f"{row.record_id:09}-{name}",
                "image": row.path,
                "conversations": [
                    {"from": "human", "value": QUESTION},
                    {"from": "gpt", "value": caption},
                ],
            }
        )
        for row in base.rows_of(plan, shard_captions)
        for name, caption in zip(plan.names, row.captions, strict=True)
        if caption
    ]
    return base.EncodedShard([b",\n".join(conversations)], len(conversations))
