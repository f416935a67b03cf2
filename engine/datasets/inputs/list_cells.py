"""The lists of captions that some tables hold in a cell, as JSON or as Python writes them."""

from __future__ import annotations

import ast
import json
import re

STRING = re.compile(r"""'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*\"""")
"""A text as a literal of Python, and of JSON."""
LIST = re.compile(rf"\s*\[\s*(?:(?:{STRING.pattern})\s*(?:,\s*|(?=\])))+\]\s*")
"""A list of nothing but texts."""


def captions_in_cell(cell: str) -> list[str]:
    """Return the captions of a cell that is a list of texts; else the cell, or none if it is empty.

    A cell is such a list where pandas wrote a column of lists as CSV, for one.
    """
    if LIST.fullmatch(cell) is None:
        return [cell] if cell else []
    try:
        texts = json.loads(cell)
    except ValueError:
        texts = [ast.literal_eval(text[0]) for text in STRING.finditer(cell)]
    return [text for text in texts if text]
