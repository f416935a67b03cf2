"""`openclip`: columns `filepath` and `title`, one row per caption, for open_clip's CSV data set.

A TAB is between them, which is open_clip's default, or a comma if the file is called .csv
(`--csv-separator ,`). open_clip reads it with pandas, which takes a caption that is only "NA" or
"null" for none.
"""

from __future__ import annotations

from pathlib import Path

from engine.datasets.exports.shard_captions import ShardCaptions
from engine.datasets.exports.writers import base
from engine.datasets.exports.writers.csv_bytes import csv_bytes

HEADER = ["filepath", "title"]
"""The names of the columns, which open_clip looks for."""


def delimiter(plan: base.ExportPlan) -> str:
    """Return the character between the columns, by the name of the file that is written."""
    return "," if plan.out_name.endswith(".csv") else "\t"


def encode(plan: base.ExportPlan, shard_captions: ShardCaptions, out: Path) -> base.EncodedShard:
    pairs = [
        (row.path, base.one_line(caption))
        for row in base.rows_of(plan, shard_captions)
        for caption in row.captions
        if caption
    ]
    return base.EncodedShard([csv_bytes(pairs, delimiter(plan))], len(pairs))


class Writer(base.FileWriter):
    """A writer of the file, whose first row names the columns."""

    def __init__(self, out: Path, plan: base.ExportPlan) -> None:
        super().__init__(out, plan)
        self.append([csv_bytes([HEADER], delimiter(plan))])
