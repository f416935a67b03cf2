"""`dreamlip`: a CSV of image path, raw caption and one column per model.

DreamLIP's `read_long_csv` (training/data.py) takes columns by position: path, raw, then six of
captions; with fewer models the rest stays empty. Its raw caption is our original caption, or the
first one there is: DreamLIP would train on an empty text. It cuts the six columns into sentences
and draws some of all of them but the last (`draw_numbers(len(long_captions) - 1, ...)`). So a
sentence of our own, `-`, stands last, in the first free column, and is never drawn. An image
without a sentence of any model would end the training, and is left out.

`csv_file.split('/')[4]` is read, too: the path of the file, as it is given, needs five parts.
"""

from __future__ import annotations

import re
from pathlib import Path

from engine.datasets.exports.shard_captions import ShardCaptions
from engine.datasets.exports.writers import base
from engine.datasets.exports.writers.csv_bytes import csv_bytes, fits_python_csv
from engine.datasets.exports.writers.row_choice import Tally, fitting_rows
from engine.utils.errors import BadInput

CAPTION_COLUMNS = 6
"""Columns of captions that DreamLIP reads behind the raw caption."""
SENTENCE_ENDS = re.compile(r"\n|</s>|[.]")
"""Where DreamLIP cuts captions into sentences (`split_caption`)."""
NEVER_DRAWN = "-"
"""The last sentence of every image."""


def sentences(caption: str) -> list[str]:
    """Return the sentences that DreamLIP finds in a model's caption."""
    return [sentence for part in SENTENCE_ENDS.split(caption) if (sentence := part.strip())]


def fits_raw(text: str | None) -> bool:
    """Return True if there is a text and DreamLIP gets it as it is."""
    return text is not None and fits_python_csv(text)


def fits_model(text: str | None) -> bool:
    """Return True if there is a model's caption and DreamLIP finds the same sentences in it."""
    if text is None:
        return False
    if text[:1].isalnum() and "\r" not in text:  # it begins with a sentence, and is read as it is
        return fits_python_csv(text)
    as_read = text.replace("\r\n", "\n")
    found = sentences(text)
    return fits_python_csv(as_read) and sentences(as_read) == found != []


def encode(plan: base.ExportPlan, shard_captions: ShardCaptions, out: Path) -> base.EncodedShard:
    tally, table = Tally(), []
    for row in fitting_rows(plan, shard_captions):
        original = row.captions[0] if fits_raw(row.captions[0]) else None
        captions = [caption if fits_model(caption) else None for caption in row.captions[1:]]
        raw = next(filter(fits_raw, [original, *captions]), None)
        if raw is not None and any(captions) and fits_raw(row.path):
            table.append([row.path, raw, *caption_cells(captions)])
            tally.add_fitting((original is not None) + len(captions) - captions.count(None))
    return tally.encoded([csv_bytes(table)])


def caption_cells(captions: list[str | None]) -> list[str]:
    """Return the six cells of an image's captions, of which the last sentence is never drawn."""
    cells = [caption or "" for caption in captions]
    if len(cells) == CAPTION_COLUMNS:
        cells[-1] = f"{cells[-1]}\n{NEVER_DRAWN}" if cells[-1] else NEVER_DRAWN
        return cells
    return [*cells, NEVER_DRAWN, *[""] * (CAPTION_COLUMNS - len(cells) - 1)]


class Writer(base.FileWriter):
    """A writer of the CSV file, whose first row names the columns."""

    def __init__(self, out: Path, plan: base.ExportPlan) -> None:
        names = plan.names[1:]
        if len(names) > CAPTION_COLUMNS:
            raise BadInput(
                f"DreamLIP reads {CAPTION_COLUMNS} columns of captions, not {len(names)}:"
                " choose models with --model NAME"
            )
        super().__init__(out, plan)
        unused = [f"unused_{number}" for number in range(len(names) + 1, CAPTION_COLUMNS + 1)]
        self.append([csv_bytes([["Image Path", "raw_caption", *names, *unused]])])
