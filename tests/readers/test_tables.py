"""pandas, polars and duckdb read what is a table, by their default readers."""

from __future__ import annotations

import pytest

from tests.readers.conftest import Call
from tests.readers.hostile_project import (
    NAMES,
    HostileProject,
    is_utf8,
    pandas_takes_for_missing,
)

READERS = ["pandas", "polars", "duckdb"]


@pytest.mark.parametrize("options", [(), ("--quality-columns",)])
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(("name", "format"), [("out.parquet", "parquet"), ("out.jsonl", "columns")])
def test_a_column_a_model(
    call: Call,
    export_to: Call,
    hostile: HostileProject,
    reader: str,
    name: str,
    format: str,
    options: tuple[str, ...],
) -> None:
    out = export_to(name, "--format", format, "--image-root", hostile.root, *options)
    rows = call("tables", f"{reader}_rows", path=str(out.path))
    pairs = [
        (hostile.number_at(row["image"]), row[name]) for row in rows for name in NAMES if row[name]
    ]
    assert sorted(pairs) == hostile.pairs(keep=is_utf8)
    if options:
        assert {row["health"]["original"] for row in rows} >= {None, ""}
        assert {type(row["flags"][name]) for row in rows for name in NAMES} == {str}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", ["out.tsv", "out.csv"])
def test_a_row_a_caption(
    call: Call, export_to: Call, hostile: HostileProject, reader: str, name: str
) -> None:
    out = export_to(name, "--format", "openclip", "--image-root", hostile.root)
    rows = call("tables", f"{reader}_rows", path=str(out.path))
    pairs = [(hostile.number_at(row["filepath"]), row["title"]) for row in rows]
    assert sorted(pairs) == hostile.pairs(
        keep=lambda text: is_utf8(text) and not pandas_takes_for_missing(text),
    )
