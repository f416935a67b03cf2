"""`jsonl`: one {"image", "caption"} a line."""

from __future__ import annotations

from pathlib import Path

from engine.datasets.columns import ShardCaptions
from engine.datasets.writers.base import Plan
from engine.datasets.writers.pairs import PairWriter


class Writer(PairWriter):
    def __init__(self, out: Path, plan: Plan) -> None:
        super().__init__(out, plan)
        self.file = out.open("wb")

    def write(self, part: ShardCaptions) -> int:
        entries = self.by_image(part)
        self.bytes += self.file.write(b"".join(entry + b"\n" for entry in entries))
        return len(entries)

    def close(self) -> None:
        self.file.close()
