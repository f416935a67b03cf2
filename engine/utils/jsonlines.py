"""JSON, one value a line: by orjson, and by the standard library for what orjson refuses.

Lone surrogates (file names that are not UTF-8, as Python writes them) and NaN are not JSON to
orjson; both occur in people's data.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import orjson


def loads(line: bytes) -> Any:
    """Return the value of one line. Raises `ValueError`."""
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        try:
            return json.loads(line)
        except RecursionError as error:
            raise ValueError("nested too deeply") from error


def problem_of(error: json.JSONDecodeError) -> str:
    """Return what is wrong, without the place that the message leads up to."""
    return error.msg.removesuffix(" at").removesuffix(" starting")


def dumps(value: Any) -> bytes:
    """Return the value as JSON without a line break."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value).encode()


def loads_lines(data: bytes) -> list[Any]:
    """Return the values of whole lines. Raises `ValueError`."""
    try:
        # One array of all lines is parsed faster than each line.
        return orjson.loads(b"[" + data[:-1].replace(b"\n", b",") + b"]")  # type: ignore[no-any-return]
    except orjson.JSONDecodeError:
        return list(map(loads, data.splitlines()))


def dumps_lines(texts: Sequence[str | None]) -> bytes:
    """Return the texts as JSON, one string or null a line."""
    if not texts:
        return b""
    try:
        # Each element of an indented array has a line to itself, since a line break within a string
        # is escaped.
        lines = orjson.dumps(texts, option=orjson.OPT_INDENT_2)[4:-2].replace(b",\n  ", b"\n")
    except TypeError:
        lines = b"\n".join(map(dumps, texts))
    return lines + b"\n"
