"""`dreamlip`: a CSV of image path, raw caption and a column a model.

DreamLIP's `read_long_csv` takes columns by position: path, raw, then six of captions, whose
sentences it draws from; with fewer models the rest stays empty.
"""

from __future__ import annotations

from pathlib import Path

from engine.datasets.exports.shard_captions import ShardCaptions
from engine.datasets.exports.writers import base
from engine.datasets.exports.writers.csv_bytes import csv_bytes
from engine.utils.errors import BadInput

CAPTION_COLUMNS = 6


def encode(plan: base.Plan, part: ShardCaptions, out: Path) -> base.Encoded:
    captions = 0
    padding = [""] * (CAPTION_COLUMNS - len(plan.models))
    table = []
    for row in base.rows_of(plan, part):
        table.append([row.path, *(base.one_line(text or "") for text in row.captions), *padding])
        captions += base.captions_in(row)
    return base.Encoded([csv_bytes(table)], captions)


class Writer(base.FileWriter):
    def __init__(self, out: Path, plan: base.Plan) -> None:
        names = plan.names[1:]
        if len(names) > CAPTION_COLUMNS:
            raise BadInput(
                f"DreamLIP reads {CAPTION_COLUMNS} columns of captions, not {len(names)}:"
                " choose models with --model NAME"
            )
        super().__init__(out, plan)
        unused = [f"unused_{number}" for number in range(len(names) + 1, CAPTION_COLUMNS + 1)]
        self.append([csv_bytes([["Image Path", "raw_caption", *names, *unused]])])
