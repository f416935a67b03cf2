"""`parquet`: one row per image, with `image` and a string column per model; a row group per shard.

`datasets.load_dataset("parquet", data_files=OUT)` and pandas read it. Provenance is a column of
JSON.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.datasets.exports.shard_captions import ShardCaptions
from engine.datasets.exports.writers import base
from engine.utils import jsonlines
from engine.utils.optional_imports import import_extra


def column_names(plan: base.ExportPlan) -> list[str]:
    """Return the names of the file's columns, in order."""
    return ["image", *plan.names, *["provenance"] * plan.provenance]


def encode(plan: base.ExportPlan, shard_captions: ShardCaptions, out: Path) -> base.EncodedShard:
    captions = 0
    columns: dict[str, list[str | None]] = {name: [] for name in column_names(plan)}
    for row in base.rows_of(plan, shard_captions):
        columns["image"].append(without_surrogates(row.path))
        for name, value in base.captions_by_name(plan, row).items():
            if name == "provenance":
                value = jsonlines.dumps(value).decode()
            columns[name].append(without_surrogates(value))
        captions += base.count_captions(row)
    return base.EncodedShard([columns], captions)


class Writer(base.Writer):
    """A writer of the Parquet file."""

    def __init__(self, out: Path, plan: base.ExportPlan) -> None:
        super().__init__(out, plan)
        self.arrow = import_extra("pyarrow", "formats", "Parquet is written")
        parquet = import_extra("pyarrow.parquet", "formats", "Parquet is written")
        string = self.arrow.string()
        self.schema = self.arrow.schema([(name, string) for name in column_names(plan)])
        self.file = parquet.ParquetWriter(out, self.schema, compression="zstd")

    def append(self, pieces: list[dict[str, list[Any]]]) -> int:
        (columns,) = pieces
        self.file.write_table(self.arrow.table(columns, schema=self.schema))
        return 0

    def close(self) -> None:
        self.file.close()


def without_surrogates(text: str | None) -> str | None:
    """Return the text with a `?` for every lone surrogate, which has no UTF-8."""
    return None if text is None else text.encode("utf-8", "replace").decode()
