"""`laclip`: captions.csv (image, original) and one text file per model, line n for row n.

LaCLIP's CsvDatasetAugCap reads them (`--train-data`, `--augmented_caption_filelist`): a line is
empty where a caption is missing, for which LaCLIP takes the original. It passes over images that
do not end in .png, .jpg or .jpeg without passing over their lines, so that all captions after them
would be on wrong images: those images are left out here.
"""

from __future__ import annotations

from pathlib import Path

from engine.datasets.exports.shard_captions import ShardCaptions
from engine.datasets.exports.writers import base
from engine.datasets.exports.writers.csv_bytes import csv_bytes, text_bytes

READ_BY_LACLIP = (".png", ".jpg", ".jpeg")
"""The suffixes of images that LaCLIP does not pass over; upper case is another suffix."""


def encode(plan: base.ExportPlan, shard_captions: ShardCaptions, out: Path) -> base.EncodedShard:
    captions = unfit = 0
    table: list[tuple[str, str]] = []
    columns: list[list[str]] = [[] for _ in plan.names[1:]]
    for row in base.rows_of(plan, shard_captions):
        if not row.path.endswith(READ_BY_LACLIP):
            unfit += 1
            continue
        original, *others = (base.one_line(caption or "") for caption in row.captions)
        table.append((row.path, original))
        for lines, caption in zip(columns, others, strict=True):
            lines.append(caption + "\n")
        captions += base.count_captions(row)
    pieces = [csv_bytes(table), *(text_bytes("".join(lines)) for lines in columns)]
    return base.EncodedShard(pieces, captions, unfit)


class Writer(base.Writer):
    """A writer of captions.csv and of the models' text files."""

    def __init__(self, out: Path, plan: base.ExportPlan) -> None:
        super().__init__(out, plan)
        out.mkdir()
        names = ["captions.csv", *(f"{base.file_name(name)}.txt" for name in plan.names[1:])]
        self.files = [(out / name).open("wb") for name in names]

    def append(self, pieces: list[bytes]) -> int:
        return sum(file.write(piece) for file, piece in zip(self.files, pieces, strict=True))

    def close(self) -> None:
        for file in self.files:
            file.close()
