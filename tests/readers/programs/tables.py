"""pandas, polars and duckdb: the rows of a table, by their default readers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pandas
import polars


def pandas_rows(path: str) -> list[dict[str, Any]]:
    """Return the rows of a file as pandas reads it, None for what it takes for missing."""
    readers: dict[str, Any] = {
        ".csv": pandas.read_csv,
        ".tsv": lambda file: pandas.read_csv(file, sep="\t"),
        ".parquet": pandas.read_parquet,
        ".jsonl": lambda file: pandas.read_json(file, lines=True),
        ".json": pandas.read_json,
    }
    frame = readers[Path(path).suffix](path)
    rows = frame.astype(object).to_dict("records")
    return [
        {name: None if pandas.isna(value) is True else value for name, value in row.items()}
        for row in rows
    ]


def polars_rows(path: str) -> list[dict[str, Any]]:
    """Return the rows of a file as polars reads it."""
    readers: dict[str, Any] = {
        ".csv": polars.read_csv,
        ".tsv": lambda file: polars.read_csv(file, separator="\t"),
        ".parquet": polars.read_parquet,
        ".jsonl": polars.read_ndjson,
        ".json": polars.read_json,
    }
    rows: list[dict[str, Any]] = readers[Path(path).suffix](path).to_dicts()
    return rows


def duckdb_rows(path: str) -> list[dict[str, Any]]:
    """Return the rows of a file as duckdb reads it, by its name alone."""
    relation = duckdb.connect().from_query(f"SELECT * FROM '{path}'")
    names = relation.columns
    return [dict(zip(names, row, strict=True)) for row in relation.fetchall()]
