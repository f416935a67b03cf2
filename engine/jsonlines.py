"""JSON in one line. orjson, and the standard library for what orjson refuses.

Lone surrogates (file names that are not UTF-8, as Python writes them) and NaN are not JSON to
orjson; both occur in people's data.
"""

from __future__ import annotations

import json
from typing import Any

import orjson


def loads(line: bytes) -> Any:
    """Raises `ValueError`."""
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        try:
            return json.loads(line)
        except RecursionError as error:
            raise ValueError("nested too deeply") from error


def dumps(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value).encode()
