"""`openclip`: columns `filepath` and `title`, one row a caption, as open_clip's CSV data set reads.

TAB between them, which is open_clip's default; a comma if the file is called .csv
(`--csv-separator ,`). open_clip reads it with pandas, to which a caption that is only "NA" or
"null" is none.
"""

from __future__ import annotations

from pathlib import Path

from engine.datasets.exports.shard_captions import ShardCaptions
from engine.datasets.exports.writers import base
from engine.datasets.exports.writers.csv_bytes import csv_bytes

HEAD = ["filepath", "title"]


def delimiter(out: Path) -> str:
    return "," if out.name.removesuffix(".part").endswith(".csv") else "\t"


def encode(plan: base.Plan, part: ShardCaptions, out: Path) -> base.Encoded:
    pairs = [
        (row.path, base.one_line(caption))
        for row in base.rows_of(plan, part)
        for caption in row.captions
        if caption
    ]
    return base.Encoded([csv_bytes(pairs, delimiter(out))], len(pairs))


class Writer(base.FileWriter):
    def __init__(self, out: Path, plan: base.Plan) -> None:
        super().__init__(out, plan)
        self.append([csv_bytes([HEAD], delimiter(out))])
