"""`hub`: Parquet files with the images in them, as data sets lie on the Hugging Face Hub.

data/train-NNNNN-of-NNNNN.parquet, of about 500 MB each, hold a row an image: `image` (its bytes and
a name), `image_path`, and one string column a model. `datasets.load_dataset(OUT)` reads them, as do
pandas, polars and duckdb; README.md is the card that the Hub shows.

Each shard is first written to a file of its own, by any process, and then appended to the last one.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from engine.datasets.exports.image_files import READ_BY_DATASETS, read_image_file
from engine.datasets.exports.shard_captions import ShardCaptions
from engine.datasets.exports.writers import base
from engine.datasets.exports.writers.arrow_columns import (
    ArrowColumns,
    arrow_types,
    caption_fields,
    quality_types,
)
from engine.datasets.exports.writers.dataset_card import dataset_card
from engine.datasets.exports.writers.row_choice import (
    Tally,
    any_path,
    fitting_rows,
    readable_path,
)
from engine.images.image import ImageProblem
from engine.utils.optional_imports import import_extra

FILE_BYTES = 500_000_000
"""Bytes from which on a Parquet file is complete: about the size that the Hub advises."""
GROUP_ROWS = 100
"""Rows of a row group, as `datasets` writes them where there are images: a reader of one image,
such as the Hub's viewer, reads a whole row group."""


def encode(plan: base.ExportPlan, shard_captions: ShardCaptions, out: Path) -> base.EncodedShard:
    """Write the shard to a Parquet file of its own, and return its path."""
    tally, path = Tally(), out / "data" / f"{shard_captions.shard.number:05}.shard"
    group = ArrowColumns(kinds_of(plan))
    with ImageParquet(path, plan) as parquet:
        for row in fitting_rows(plan, shard_captions, path_fits=any_path):
            try:
                file = read_image_file(plan.image_paths, row.image, READ_BY_DATASETS, plan.encoding)
            except ImageProblem:
                continue
            image = {"bytes": file.data, "path": f"{row.record_id:09}{file.suffix}"}
            captions = base.captions_by_name(plan, row)
            group.append({"image": image, "image_path": readable_path(row.path)} | captions)
            tally.add(row)
            if tally.images % GROUP_ROWS == 0:
                parquet.write(group.values)
                group = ArrowColumns(kinds_of(plan))
        parquet.write(group.values)
    return tally.encoded([path], path.stat().st_size)


def kinds_of(plan: base.ExportPlan) -> dict[str, str]:
    """Return the kind of each column of the files: `image`, `string` or `list`."""
    return {"image": "image", "image_path": "string"} | caption_fields(plan)


class ImageParquet:
    """A Parquet file with images, of which `datasets` knows that they are images."""

    def __init__(self, path: Path, plan: base.ExportPlan) -> None:
        arrow = import_extra("pyarrow", "formats", "Parquet is written")
        parquet = import_extra("pyarrow.parquet", "formats", "Parquet is written")
        image = arrow.struct([("bytes", arrow.binary()), ("path", arrow.string())])
        types = {"image": image} | arrow_types(plan, arrow)
        text = {"dtype": "string", "_type": "Value"}
        number = {"dtype": "float64", "_type": "Value"}
        features = {"image": {"_type": "Image"}, "string": text, "list": [text]}
        features |= quality_types(plan, text, number)
        kinds = kinds_of(plan)
        known = {"info": {"features": {name: features[kind] for name, kind in kinds.items()}}}
        self.schema = arrow.schema(
            [(name, types[kind]) for name, kind in kinds.items()],
            {"huggingface": json.dumps(known)},
        )
        self.table = arrow.table
        self.stream = path.open("wb")
        # Images are compressed already.
        self.parquet = parquet.ParquetWriter(self.stream, self.schema, compression="snappy")

    def __enter__(self) -> ImageParquet:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def size(self) -> int:
        """The bytes that are written so far."""
        return self.stream.tell()

    def write(self, columns: dict[str, list[Any]]) -> None:
        """Append a row group, unless it has no rows."""
        if columns["image"]:
            self.parquet.write_table(self.table(columns, schema=self.schema))

    def close(self) -> None:
        """End the file."""
        self.parquet.close()
        self.stream.close()


class Writer(base.Writer):
    """A writer that appends the shards' files to larger ones, and writes the card."""

    def __init__(self, out: Path, plan: base.ExportPlan) -> None:
        super().__init__(out, plan)
        self.plan = plan
        self.folder = out / "data"
        self.folder.mkdir(parents=True)
        self.paths: list[Path] = []
        """The files that were begun."""
        self.file = self.begin()
        self.rows = 0

    def begin(self) -> ImageParquet:
        self.paths.append(self.folder / f"{len(self.paths):05}.parquet")
        return ImageParquet(self.paths[-1], self.plan)

    def append(self, pieces: list[Path]) -> int:
        (path,) = pieces
        parquet = import_extra("pyarrow.parquet", "formats", "Parquet is written")
        shard = parquet.ParquetFile(path)
        for number in range(shard.num_row_groups):
            if self.file.size >= FILE_BYTES:
                self.file.close()
                self.file = self.begin()
            group = shard.read_row_group(number)
            self.file.parquet.write_table(group)
            self.rows += group.num_rows
        path.unlink()
        return 0

    def close(self) -> None:
        self.file.close()
        for number, path in enumerate(self.paths):
            path.rename(self.folder / f"train-{number:05}-of-{len(self.paths):05}.parquet")
        card = dataset_card(self.plan, self.rows)
        (self.out / "README.md").write_text(card, encoding="utf-8")
