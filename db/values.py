"""Between table columns and the dataclasses of `db.rows`."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from sqlalchemy import Column, Table


def columns(table: Table, row: type[Any]) -> list[Column[Any]]:
    """The table's columns that the dataclass has, in its order."""
    return [table.c[field.name] for field in fields(row)]


def storable(values: dict[str, Any]) -> dict[str, Any]:
    """Text as SQLite can hold it: a lone surrogate (a file name that is not UTF-8) is escaped."""
    return {
        key: value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
        for key, value in values.items()
    }
