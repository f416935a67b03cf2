"""`openclip`: columns `filepath` and `title`, one row a caption, as open_clip's CSV data set reads.

TAB between them, which is open_clip's default; a comma if the file is called .csv
(`--csv-separator ,`). open_clip reads it with pandas, to which a caption that is only "NA" or
"null" is none.
"""

from __future__ import annotations

import csv
from pathlib import Path

from engine.datasets.columns import ShardCaptions
from engine.datasets.writers import base


class Writer(base.Writer):
    def __init__(self, out: Path, plan: base.Plan) -> None:
        super().__init__(out, plan)
        self.file = open_text(out)
        comma = out.name.removesuffix(".part").endswith(".csv")
        self.csv = csv.writer(self.file, delimiter="," if comma else "\t", lineterminator="\n")
        self.csv.writerow(["filepath", "title"])

    def write(self, part: ShardCaptions) -> int:
        pairs = [
            (row.path, base.one_line(caption))
            for row in self.rows(part)
            for caption in row.captions
            if caption
        ]
        self.csv.writerows(pairs)
        self.bytes = self.file.tell()
        return len(pairs)

    def close(self) -> None:
        self.file.close()


def open_text(path: Path):  # type: ignore[no-untyped-def]
    """UTF-8 with line feeds. A lone surrogate, which has no UTF-8, becomes a question mark."""
    return path.open("w", encoding="utf-8", errors="replace", newline="")
