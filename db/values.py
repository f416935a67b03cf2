"""Conversions between table columns and the dataclasses of `db.rows`."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from sqlalchemy import Column, Table


def columns(table: Table, row: type[Any]) -> list[Column[Any]]:
    """Return the table's columns that the dataclass `row` has as fields, in the fields' order."""
    return [table.c[field.name] for field in fields(row)]


def storable(values: dict[str, Any]) -> dict[str, Any]:
    """Return the values with text as SQLite can hold it.

    A lone surrogate, which stands for a byte of a file name that is not UTF-8, is escaped.
    """
    return {
        key: storable_text(value) if isinstance(value, str) else value
        for key, value in values.items()
    }


def storable_text(text: str) -> str:
    """Return a text as SQLite can hold it, with lone surrogates escaped."""
    return text.encode("utf-8", "backslashreplace").decode()
