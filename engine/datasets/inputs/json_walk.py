"""Walking through one JSON object, member by member, without holding it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from engine.datasets.inputs.exact_json import TextWindow
from engine.datasets.inputs.input_report import CutShort
from engine.utils.errors import BadInput

FIRST_VALUE = re.compile(r"\[[ \t\r\n]*([^ \t\r\n])")
"""The start of an array, up to the first character of its first value."""


def members(text: TextWindow) -> Iterator[str]:
    """Yield the keys of the object at which the text stands.

    At each key the text stands at its value, which must be consumed before the next key is asked
    for. Raises `BadInput`.
    """
    decoder = json.JSONDecoder()
    expect(text, "{")
    while text.skip_blanks() != "}":
        key, _ = text.read_value(decoder)
        if not isinstance(key, str):
            raise text.error("not JSON: a key must be a text")
        text.skip_blanks()
        expect(text, ":")
        text.skip_blanks()
        yield key
        if text.skip_blanks() == ",":
            expect(text, ",")
        elif text.skip_blanks() != "}":
            raise comma_missing(text)
    expect(text, "}")


def elements(text: TextWindow) -> Iterator[tuple[Any, str]]:
    """Yield the values of the array at which the text stands, each with its JSON.

    Raises `BadInput`.
    """
    decoder = json.JSONDecoder()
    expect(text, "[")
    while text.skip_blanks() != "]":
        yield text.read_value(decoder)
        if text.skip_blanks() == ",":
            expect(text, ",")
        elif text.skip_blanks() != "]":
            raise comma_missing(text)
    expect(text, "]")


def comma_missing(text: TextWindow) -> BadInput:
    """Return the error that neither a comma nor the end follows; the file may end there."""
    if not text.skip_blanks():
        return CutShort(str(text.error("the file is cut short")))
    return text.error("not JSON: a comma is missing")


def expect(text: TextWindow, character: str) -> None:
    """Consume a character that must come next. Raises `BadInput`."""
    if text.skip_blanks() != character:
        if not text.skip_blanks():
            raise CutShort(str(text.error("the file is cut short")))
        raise text.error(f"not JSON: {character!r} is missing")
    text.cursor += 1


def skip_value(text: TextWindow) -> None:
    """Pass over the value at which the text stands. Raises `BadInput`."""
    if text.skip_blanks() == "[":
        for _ in elements(text):
            pass
    else:
        text.read_value(json.JSONDecoder())


def begins_list_of_objects(text: TextWindow) -> bool:
    """Return True if a list whose first value is an object comes next; it is not consumed."""
    if text.skip_blanks() != "[":
        return False
    while (match := FIRST_VALUE.match(text.window, text.cursor)) is None and not text.ended:
        text.read_more()
    return match is not None and match[1] == "{"
