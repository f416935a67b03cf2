"""`per-model`: a folder with one array of {"image", "caption"} per model, as upstream released."""

from __future__ import annotations

from pathlib import Path

from engine.datasets.exports.shard_captions import ShardCaptions
from engine.datasets.exports.writers import base, caption_pairs
from engine.datasets.exports.writers.array_file import ArrayFile


def encode(plan: base.ExportPlan, shard_captions: ShardCaptions, out: Path) -> base.EncodedShard:
    columns = [
        list(filter(None, column)) for column in caption_pairs.open_objects(plan, shard_captions)
    ]
    pieces = [caption_pairs.join_objects(column, b",\n") for column in columns]
    return base.EncodedShard(pieces=pieces, captions=sum(map(len, columns)))


class Writer(base.Writer):
    """A writer of one array file per column."""

    def __init__(self, out: Path, plan: base.ExportPlan) -> None:
        super().__init__(out, plan)
        out.mkdir()
        self.arrays = [ArrayFile(out / f"{base.file_name(name)}.json") for name in plan.names]

    def append(self, pieces: list[bytes]) -> int:
        return sum(array.append(piece) for array, piece in zip(self.arrays, pieces, strict=True))

    def close(self) -> None:
        for array in self.arrays:
            array.close()
