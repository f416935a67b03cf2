"""`parquet`: one row an image, `image` and a string column a model; a row group a shard.

`datasets.load_dataset("parquet", data_files=OUT)` and pandas read it. Provenance is a column of
JSON.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.datasets.exports.shard_captions import ShardCaptions
from engine.datasets.exports.writers import base
from engine.utils import jsonlines
from engine.utils.optional_imports import extra


def columns(plan: base.Plan) -> list[str]:
    return ["image", *plan.names, *["provenance"] * plan.provenance]


def encode(plan: base.Plan, part: ShardCaptions, out: Path) -> base.Encoded:
    captions = 0
    values: dict[str, list[str | None]] = {name: [] for name in columns(plan)}
    for row in base.rows_of(plan, part):
        values["image"].append(sound(row.path))
        for name, value in base.named(plan, row).items():
            if name == "provenance":
                value = jsonlines.dumps(value).decode()
            values[name].append(sound(value))
        captions += base.captions_in(row)
    return base.Encoded([values], captions)


class Writer(base.Writer):
    def __init__(self, out: Path, plan: base.Plan) -> None:
        super().__init__(out, plan)
        self.arrow = extra("pyarrow", "formats", "Parquet is written")
        parquet = extra("pyarrow.parquet", "formats", "Parquet is written")
        text = self.arrow.string()
        self.schema = self.arrow.schema([(name, text) for name in columns(plan)])
        self.file = parquet.ParquetWriter(out, self.schema, compression="zstd")

    def append(self, pieces: list[dict[str, list[Any]]]) -> int:
        (values,) = pieces
        self.file.write_table(self.arrow.table(values, schema=self.schema))
        return 0

    def close(self) -> None:
        self.file.close()


def sound(text: str | None) -> str | None:
    """A lone surrogate, which has no UTF-8, becomes a question mark."""
    return None if text is None else text.encode("utf-8", "replace").decode()
