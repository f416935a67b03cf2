"""`llava`: LLaVA's conversations JSON, one question and answer a caption.

As LLaVA's `LazySupervisedDataset` reads it: `image` below `--image_folder`, `<image>` in the
first turn, the turns called human and gpt.
"""

from __future__ import annotations

from pathlib import Path

from engine import jsonlines
from engine.datasets.columns import ShardCaptions
from engine.datasets.writers import base
from engine.datasets.writers.merged import JsonArray

QUESTION = "<image>\nDescribe the image in English."


class Writer(base.Writer):
    def __init__(self, out: Path, plan: base.Plan) -> None:
        super().__init__(out, plan)
        self.array = JsonArray(out)

    def write(self, part: ShardCaptions) -> int:
        entries = [
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
            for row in self.rows(part)
            for name, caption in zip(self.plan.names, row.captions, strict=True)
            if caption
        ]
        self.bytes += self.array.add(entries)
        return len(entries)

    def close(self) -> None:
        self.array.close()
