"""`llava`: LLaVA's conversations JSON, one question and answer a caption.

As LLaVA's `LazySupervisedDataset` reads it: `image` below `--image_folder`, `<image>` in the
first turn, the turns called human and gpt.
"""

from __future__ import annotations

from pathlib import Path

from engine.datasets.exports.shard_captions import ShardCaptions
from engine.datasets.exports.writers import base
from engine.datasets.exports.writers.json_array import Writer
from engine.utils import jsonlines

__all__ = ["Writer", "encode"]

QUESTION = "<image>\nDescribe the image in English."


def encode(plan: base.Plan, part: ShardCaptions, out: Path) -> base.Encoded:
    found = [
        jsonlines.dumps(
            {
                "id": f"{row.place:09}-{name}",
                "image": row.path,
                "conversations": [
                    {"from": "human", "value": QUESTION},
                    {"from": "gpt", "value": caption},
                ],
            }
        )
        for row in base.rows_of(plan, part)
        for name, caption in zip(plan.names, row.captions, strict=True)
        if caption
    ]
    return base.Encoded([b",\n".join(found)], len(found))
