"""`columns`: JSON Lines, {"image", "original", MODEL, ...}, null where a caption is missing.

`engine.datasets.JointCaptions` and `datasets.load_dataset("json")` read it.
"""

from __future__ import annotations

from pathlib import Path

from engine import jsonlines
from engine.datasets.columns import ShardCaptions
from engine.datasets.writers import base


class Writer(base.Writer):
    def __init__(self, out: Path, plan: base.Plan) -> None:
        super().__init__(out, plan)
        self.file = out.open("wb")

    def write(self, part: ShardCaptions) -> int:
        captions, lines = 0, []
        for row in self.rows(part):
            lines.append(jsonlines.dumps({"image": row.path} | self.named(row)) + b"\n")
            captions += base.captions_in(row)
        self.bytes += self.file.write(b"".join(lines))
        return captions

    def close(self) -> None:
        self.file.close()
