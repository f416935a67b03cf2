"""`dreamlip`: a CSV of image path, raw caption and a column a model.

DreamLIP's `read_long_csv` takes columns by position: path, raw, then six of captions, whose
sentences it draws from; with fewer models the rest stays empty.
"""

from __future__ import annotations

import csv
from pathlib import Path

from engine.datasets.columns import ShardCaptions
from engine.datasets.writers import base
from engine.datasets.writers.openclip import open_text
from engine.errors import BadInput

CAPTION_COLUMNS = 6


class Writer(base.Writer):
    def __init__(self, out: Path, plan: base.Plan) -> None:
        super().__init__(out, plan)
        names = plan.names[1:]
        if len(names) > CAPTION_COLUMNS:
            raise BadInput(
                f"DreamLIP reads {CAPTION_COLUMNS} columns of captions, not {len(names)}:"
                " choose models with --model NAME"
            )
        self.padding = [""] * (CAPTION_COLUMNS - len(names))
        self.file = open_text(out)
        self.csv = csv.writer(self.file, lineterminator="\n")
        unused = [f"unused_{number}" for number, _ in enumerate(self.padding, start=1)]
        self.csv.writerow(["Image Path", "raw_caption", *names, *unused])

    def write(self, part: ShardCaptions) -> int:
        captions = 0
        for row in self.rows(part):
            texts = [base.one_line(caption or "") for caption in row.captions]
            self.csv.writerow([row.path, *texts, *self.padding])
            captions += base.captions_in(row)
        self.bytes = self.file.tell()
        return captions

    def close(self) -> None:
        self.file.close()
