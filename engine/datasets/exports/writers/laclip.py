"""`laclip`: captions.csv (image, original) and one text file per model, line n for row n.

LaCLIP's CsvDatasetAugCap (training/data.py) reads them (`--train-data`,
`--augmented_caption_filelist`). It draws one of an image's captions. Where the drawn one has fewer
than two words (`caption.split(' ')`), as an empty line has, it takes the original in its place.

It passes over images that do not end in .png, .jpg or .jpeg without passing over their lines, so
that all captions after them would be on wrong images: those images are left out here. So are
captions of models that it would not train on or not get as they are. An image without an original
has its first caption in that place: LaCLIP would train on an empty text.
"""

from __future__ import annotations

from pathlib import Path

from engine.datasets.exports.shard_captions import ShardCaptions
from engine.datasets.exports.writers import base
from engine.datasets.exports.writers.csv_bytes import csv_bytes, fits_python_csv
from engine.datasets.exports.writers.row_choice import Tally, fitting_rows

READ_BY_LACLIP = (".png", ".jpg", ".jpeg")
"""The suffixes of images that LaCLIP does not pass over; upper case is another suffix."""


def fits_csv(text: str | None) -> bool:
    """Return True if there is a text and LaCLIP gets it as it is from a cell of captions.csv."""
    return text is not None and fits_python_csv(text)


def fits_line(text: str | None) -> bool:
    """Return True if there is a text, LaCLIP gets it as it is from a line of a model's file, and
    trains on it when it is drawn."""
    return text is not None and " " in text and "\n" not in text and "\r" not in text


def encode(plan: base.ExportPlan, shard_captions: ShardCaptions, out: Path) -> base.EncodedShard:
    tally = Tally()
    table: list[tuple[str, str]] = []
    columns: list[list[str]] = [[] for _ in plan.names[1:]]
    for row in fitting_rows(plan, shard_captions):
        if not row.path.endswith(READ_BY_LACLIP) or not fits_csv(row.path):
            continue
        original, *others = row.captions
        lines = [caption if fits_line(caption) else None for caption in others]
        cell = next(filter(fits_csv, [original, *lines, *others]), None)
        if cell is None:
            continue
        table.append((row.path, cell))
        for column, line in zip(columns, lines, strict=True):
            column.append(f"{line or ''}\n")
        stands_alone = cell == original or cell not in lines
        tally.add_fitting(stands_alone + len(lines) - lines.count(None))
    pieces = [csv_bytes(table), *("".join(lines).encode() for lines in columns)]
    return tally.encoded([*pieces])


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
