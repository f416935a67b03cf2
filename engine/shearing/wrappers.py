"""What an answer may be wrapped in as a whole: tags, fences of code, JSON, LaTeX's box."""

from __future__ import annotations

import json
import re
from typing import Any

TAG = re.compile(r"<(/?)(answer|caption|final(?:_answer)?|output|response)>", re.IGNORECASE)
"""A tag around an answer."""
SURROGATE = re.compile(r"[\ud800-\udfff]")
SIGNS = "<`{[\\$"
"""The first signs of a text that may be wrapped as a whole."""
FENCED = re.compile(r"\s*```(?:[a-z]{0,12}[^\S\n]*\n)?(?P<text>[^`]*)(?:```\s*)?\Z", re.IGNORECASE)
BOXED = re.compile(
    r"\s*\$*\\boxed\s*\{(?:\s*\\text(?:bf|it)?\s*\{)?(?P<text>[^{}\\]*)\}{1,2}[$.\s]*\Z"
)
CAPTION_KEYS = frozenset(
    (
        *("caption", "final_caption", "final caption", "description", "image_caption", "alt_text"),
        *("answer", "final_answer", "response", "output", "result"),
    )
)
"""The names of the caption in an object of JSON that has other values, too."""


def unwrapped(text: str) -> str:
    """Return an answer without what it is wrapped in; the same object if it is in nothing."""
    text = untagged(text)
    for pattern in (FENCED, BOXED):
        wrapped = pattern.match(text)
        text = text if wrapped is None else wrapped["text"].strip()
    return from_json(text)


def untagged(text: str) -> str:
    """Return the first text between two tags of an answer, or all of it behind a tag at its
    beginning.

    What stands before two tags is a lead-in, or reasoning.
    """
    opened: dict[str, int] = {}
    for tag in TAG.finditer(text):
        closes, name = tag[1], tag[2].lower()
        if not closes:
            opened.setdefault(name, tag.end())
        elif name in opened:
            return TAG.sub("", text[opened[name] : tag.start()]).strip()
    first = TAG.match(text.lstrip())
    return text if first is None else TAG.sub("", text).strip()


def from_json(text: str) -> str:
    """Return the caption in an object of JSON, or in a list of one; otherwise the same text."""
    start = text.lstrip()
    if start[:1] not in ("{", "["):
        return text
    try:
        value = json.loads(start)
    except (ValueError, RecursionError):
        return text
    while isinstance(value, list) and len(value) == 1:
        (value,) = value
    caption = value if isinstance(value, str) else caption_in(value)
    if caption is None or SURROGATE.search(caption):  # half of a character, which no file can hold
        return text
    return caption.strip()


def caption_in(value: Any) -> str | None:
    """Return the caption in an object: its only value, or the only one with the name of a caption.

    None if that is no string.
    """
    if not isinstance(value, dict):
        return None
    values = list(value.values())
    if len(values) > 1:
        values = [each for key, each in value.items() if key.lower() in CAPTION_KEYS]
    return values[0] if len(values) == 1 and isinstance(values[0], str) else None
