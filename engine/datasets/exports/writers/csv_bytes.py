"""CSV as bytes: UTF-8 with line feeds. A lone surrogate, which has no UTF-8, becomes a `?`."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from io import StringIO


def csv_bytes(rows: Iterable[Sequence[str]], delimiter: str = ",") -> bytes:
    """Return rows of cells as CSV."""
    text = StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return text_bytes(text.getvalue())


def text_bytes(text: str) -> bytes:
    """Return a text as UTF-8."""
    return text.encode("utf-8", "replace")
