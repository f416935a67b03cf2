"""Tars that `export --format wds` wrote: the JSON of a sample names the image that it was made of.

The images in them have new names, by which captions would find no record.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from engine.datasets.inputs.batch import Record, RecordBatch, line_of
from engine.datasets.inputs.file_names import is_hidden
from engine.datasets.inputs.input_report import BadRecord, InputReport
from engine.datasets.inputs.open_input import InputSource, file_suffix
from engine.datasets.inputs.sidecars import MAX_BYTES
from engine.datasets.inputs.tables import BATCH_ROWS
from engine.datasets.inputs.value_reader import ValueReader
from engine.images.tar_reading import DamagedTar, TarReader

PROBED = 100
"""Samples by which tars of an export are told from others."""


def original_images(path: Path) -> list[str]:
    """Return the images that the first samples were made of; none for what is no such export."""
    found: list[str] = []
    for tar in tars_of(path)[:1]:
        try:
            for name, data in islice(texts_in(tar), PROBED):
                value = json.loads(data)
                if not isinstance(value, dict) or not isinstance(value.get("image"), str):
                    return []
                if not Path(name).stem.startswith(str(value.get("key"))):
                    return []
                found.append(value["image"])
        except (OSError, ValueError, RecursionError, DamagedTar):
            return []  # said where the input is read
    return found


def read_exported(source: InputSource, report: InputReport) -> Iterator[RecordBatch]:
    """Yield the records of an export's tars. Raises `BadInput`, unless the report leaves them out.

    Further samples of one image hold the same captions: those of `--text expand`.
    """
    reader = ValueReader(source.path, source.root, source.options, report)
    records: list[Record] = []
    for tar in tars_of(source.path):
        try:
            for name, data in texts_in(tar):
                try:
                    value: Any = json.loads(data)
                    line = line_of(value).decode()
                    records += reader.read(value, line)
                except (ValueError, RecursionError) as error:
                    report.leave_out(BadRecord(f"{tar}/{name}: {error}"))
                if len(records) >= BATCH_ROWS:
                    yield RecordBatch.from_records(records)
                    records = []
        except (OSError, DamagedTar) as error:
            report.leave_out(BadRecord(f"{tar}: not a sound tar: {error}"))
    if records:
        yield RecordBatch.from_records(records)
    reader.finish()


def tars_of(path: Path) -> list[Path]:
    """Return the tars of a folder, or the tar itself."""
    if path.is_dir():
        return [tar for tar in sorted(path.glob("*.tar")) if not is_hidden(tar.name)]
    return [path] if file_suffix(path) == ".tar" else []


def texts_in(tar: Path) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of the JSON files of a tar. Raises `DamagedTar`, `OSError`."""
    with TarReader(str(tar)) as reader:
        for _, member in reader.members():
            if member.isreg() and member.name.endswith(".json") and member.size <= MAX_BYTES:
                yield member.name, reader.read(member.offset_data, member.size)
