"""`per-model`: a folder with one array of {"image", "caption"} a model, as upstream released."""

from __future__ import annotations

from pathlib import Path

from engine.datasets.exports.shard_captions import ShardCaptions
from engine.datasets.exports.writers import base, caption_pairs
from engine.datasets.exports.writers.json_array import JsonArray


def encode(plan: base.Plan, part: ShardCaptions, out: Path) -> base.Encoded:
    columns = [list(filter(None, column)) for column in caption_pairs.entries(plan, part)]
    pieces = [caption_pairs.joined(column, b",\n") for column in columns]
    return base.Encoded(pieces, sum(map(len, columns)))


class Writer(base.Writer):
    def __init__(self, out: Path, plan: base.Plan) -> None:
        super().__init__(out, plan)
        out.mkdir()
        self.arrays = [JsonArray(out / f"{base.file_name(name)}.json") for name in plan.names]

    def append(self, pieces: list[bytes]) -> int:
        return sum(array.add(piece) for array, piece in zip(self.arrays, pieces, strict=True))

    def close(self) -> None:
        for array in self.arrays:
            array.close()
