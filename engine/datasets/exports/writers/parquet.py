"""`parquet`: one row per image, with `image` and a string column per model; a row group per shard.

`datasets.load_dataset("parquet", data_files=OUT)` and pandas read it. Provenance is a column of
JSON. The schema's metadata has the filters that left captions out (`mllmaug_filters`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.datasets.exports.shard_captions import ShardCaptions
from engine.datasets.exports.writers import base
from engine.datasets.exports.writers.arrow_columns import ArrowColumns, arrow_types, caption_fields
from engine.datasets.exports.writers.row_choice import Tally, fitting_rows
from engine.utils.optional_imports import import_extra


def encode(plan: base.ExportPlan, shard_captions: ShardCaptions, out: Path) -> base.EncodedShard:
    tally, columns = Tally(), ArrowColumns(["image", *caption_fields(plan)])
    for row in fitting_rows(plan, shard_captions):
        columns.append({"image": row.path} | base.captions_by_name(plan, row))
        tally.add(row)
    return tally.encoded([columns.values])


class Writer(base.Writer):
    """A writer of the Parquet file."""

    def __init__(self, out: Path, plan: base.ExportPlan) -> None:
        super().__init__(out, plan)
        self.arrow = import_extra("pyarrow", "formats", "Parquet is written")
        parquet = import_extra("pyarrow.parquet", "formats", "Parquet is written")
        types = arrow_types(plan, self.arrow)
        kinds = {"image": "string"} | caption_fields(plan)
        about = {"mllmaug_filters": " ".join(plan.filters)} if plan.filters else None
        self.schema = self.arrow.schema(
            [(name, types[kind]) for name, kind in kinds.items()], about
        )
        self.file = parquet.ParquetWriter(out, self.schema, compression="zstd")

    def append(self, pieces: list[dict[str, list[Any]]]) -> int:
        (columns,) = pieces
        self.file.write_table(self.arrow.table(columns, schema=self.schema))
        return 0

    def close(self) -> None:
        self.file.close()
