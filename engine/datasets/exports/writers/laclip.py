"""`laclip`: captions.csv (image, original) and one text file a model, line n for row n.

As LaCLIP's CsvDatasetAugCap reads them (`--train-data`, `--augmented_caption_filelist`): an
empty line where a caption is missing, for which LaCLIP takes the original. It passes over
images that do not end in .png, .jpg or .jpeg without passing over their lines, so that all
captions after them would be on wrong images: those images are left out here.
"""

from __future__ import annotations

from pathlib import Path

from engine.datasets.exports.shard_captions import ShardCaptions
from engine.datasets.exports.writers import base
from engine.datasets.exports.writers.csv_bytes import csv_bytes, text_bytes

READ_BY_LACLIP = (".png", ".jpg", ".jpeg")


def encode(plan: base.Plan, part: ShardCaptions, out: Path) -> base.Encoded:
    captions = unfit = 0
    table: list[tuple[str, str]] = []
    texts: list[list[str]] = [[] for _ in plan.names[1:]]
    for row in base.rows_of(plan, part):
        if not row.path.endswith(READ_BY_LACLIP):
            unfit += 1
            continue
        original, *others = (base.one_line(caption or "") for caption in row.captions)
        table.append((row.path, original))
        for text, caption in zip(texts, others, strict=True):
            text.append(caption + "\n")
        captions += base.captions_in(row)
    pieces = [csv_bytes(table), *(text_bytes("".join(text)) for text in texts)]
    return base.Encoded(pieces, captions, unfit)


class Writer(base.Writer):
    def __init__(self, out: Path, plan: base.Plan) -> None:
        super().__init__(out, plan)
        out.mkdir()
        names = ["captions.csv", *(f"{base.file_name(name)}.txt" for name in plan.names[1:])]
        self.files = [(out / name).open("wb") for name in names]

    def append(self, pieces: list[bytes]) -> int:
        return sum(file.write(piece) for file, piece in zip(self.files, pieces, strict=True))

    def close(self) -> None:
        for file in self.files:
            file.close()
