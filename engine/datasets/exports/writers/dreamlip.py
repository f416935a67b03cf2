"""`dreamlip`: a CSV of image path, raw caption and one column per model.

DreamLIP's `read_long_csv` takes columns by position: path, raw, then six of captions, whose
sentences it draws from; with fewer models the rest stays empty. Its raw caption is our original
caption.
"""

from __future__ import annotations

from pathlib import Path

from engine.datasets.exports.shard_captions import ShardCaptions
from engine.datasets.exports.writers import base
from engine.datasets.exports.writers.csv_bytes import csv_bytes
from engine.utils.errors import BadInput

CAPTION_COLUMNS = 6
"""Columns of captions that DreamLIP reads behind the raw caption."""


def encode(plan: base.ExportPlan, shard_captions: ShardCaptions, out: Path) -> base.EncodedShard:
    captions = 0
    padding = [""] * (CAPTION_COLUMNS - len(plan.models))
    table = []
    for row in base.rows_of(plan, shard_captions):
        table.append([row.path, *(base.one_line(text or "") for text in row.captions), *padding])
        captions += base.count_captions(row)
    return base.EncodedShard([csv_bytes(table)], captions)


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
