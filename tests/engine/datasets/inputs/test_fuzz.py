"""A small run of `tests.fuzz`."""

from __future__ import annotations

import pytest

from tests.fuzz import FORMATS, fuzz


@pytest.mark.parametrize("format", FORMATS)
def test_damaged_files_are_read_or_refused_in_one_line(format: str) -> None:
    if format in ("parquet", "images.parquet", "arrow", "jsonl.zst"):
        pytest.importorskip("pyarrow")
    outcomes = fuzz(format, 200)
    assert outcomes["refused"] > 0
    assert outcomes["read"] + outcomes["refused"] == 200
    assert outcomes["commands"] == 2
