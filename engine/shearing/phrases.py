"""Patterns made of tables of phrases."""

from __future__ import annotations

import re

SEPARATOR = re.compile(r"\s+\|\s+")
"""A bar with white space on both sides, unlike one within a phrase."""


def any_of(table: str) -> str:
    """Return the pattern of one of the phrases in a table, which are separated by ` | `."""
    return f"(?:{'|'.join(SEPARATOR.split(table.strip()))})"
