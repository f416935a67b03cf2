"""`openclip`: columns `filepath` and `title`, one row per caption, for open_clip's CSV data set.

A TAB is between them, which is open_clip's default, or a comma if the file is called .csv
(`--csv-separator ,`). open_clip reads it with `pandas.read_csv(path, sep=...)`
(src/open_clip_train/data.py), which takes a cell that is only "NA" or "null" for none, and would
train on the text "nan": such captions are left out. Line breaks come out as they are.
"""

from __future__ import annotations

from pathlib import Path

from engine.datasets.exports.shard_captions import ShardCaptions
from engine.datasets.exports.writers import base
from engine.datasets.exports.writers.csv_bytes import csv_bytes
from engine.datasets.exports.writers.row_choice import (
    Tally,
    chosen_captions,
    fitting_rows,
    is_utf8,
)

HEADER = ["filepath", "title"]
"""The names of the columns, which open_clip looks for."""
MISSING_TO_PANDAS = frozenset(
    (
        *("#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN"),
        *("<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"),
    )
)
"""The cells that pandas takes for missing ones (`keep_default_na`), quoted or not."""


def fits(text: str) -> bool:
    """Return True if pandas reads a cell with this text as it is."""
    return text not in MISSING_TO_PANDAS and is_utf8(text)


def delimiter(plan: base.ExportPlan) -> str:
    """Return the character between the columns, by the name of the file that is written."""
    return "," if plan.out_name.endswith(".csv") else "\t"


def encode(plan: base.ExportPlan, shard_captions: ShardCaptions, out: Path) -> base.EncodedShard:
    tally, table = Tally(), []
    for row in fitting_rows(plan, shard_captions, fits, fits):
        captions = chosen_captions(plan, row, "expand")
        table += [(row.path, caption) for _, caption in captions]
        tally.add(row, len(captions))
    return tally.encoded([csv_bytes(table, delimiter(plan))])


class Writer(base.FileWriter):
    """A writer of the file, whose first row names the columns."""

    def __init__(self, out: Path, plan: base.ExportPlan) -> None:
        super().__init__(out, plan)
        self.append([csv_bytes([HEADER], delimiter(plan))])
