"""`per-model`: a folder with one array of {"image", "caption"} a model, as upstream released."""

from __future__ import annotations

from pathlib import Path

from engine.datasets.columns import ShardCaptions
from engine.datasets.writers.base import Plan, file_name
from engine.datasets.writers.merged import JsonArray
from engine.datasets.writers.pairs import PairWriter


class Writer(PairWriter):
    def __init__(self, out: Path, plan: Plan) -> None:
        super().__init__(out, plan)
        out.mkdir()
        self.arrays = [JsonArray(out / f"{file_name(name)}.json") for name in plan.names]

    def write(self, part: ShardCaptions) -> int:
        written = 0
        for array, column in zip(self.arrays, self.entries(part), strict=True):
            entries = [entry for entry in column if entry is not None]
            self.bytes += array.add(entries)
            written += len(entries)
        return written

    def close(self) -> None:
        for array in self.arrays:
            array.close()
