"""CSV as bytes: UTF-8 with line feeds, from which every reader of CSV gets the same cells."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from io import StringIO

CELL_LIMIT = 131_072
"""Characters from which on Python's csv module refuses a cell unless a program raises its limit."""


def csv_bytes(rows: Sequence[Sequence[str]], delimiter: str = ",") -> bytes:
    """Return rows of cells as CSV."""
    text = StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows(rows)
    if "\r" in text.getvalue():
        text = CarriageReturnsQuoted()
        csv.writer(text, delimiter=delimiter, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


class CarriageReturnsQuoted(StringIO):
    """What a writer of CSV with the line end CR LF writes, with LF alone at the ends of rows.

    The csv module puts only those line ends into quotation marks that are its own.
    """

    def write(self, row: str) -> int:
        return super().write(row.removesuffix("\r\n") + "\n")


def fits_python_csv(text: str) -> bool:
    """Return True if a cell comes out of Python's csv module as it is, where the file was opened
    without newline="": then a carriage return comes out as a line feed."""
    return len(text) < CELL_LIMIT and "\r" not in text and "\0" not in text
