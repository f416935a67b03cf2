"""What an answer may be wrapped in as a whole: tags, fences of code, JSON, LaTeX's box."""

from __future__ import annotations

import ast
import json
import re
from typing import Any

TAG = re.compile(r"<(/?)(answer|caption|final(?:_answer)?|output|response)>", re.IGNORECASE)
"""A tag around an answer."""
SURROGATE = re.compile(r"[\ud800-\udfff]")
HTML = r"(?:p|div|span|body|html|section|figcaption|blockquote|ul|ol|li|s_[a-z]{1,20})"
OPENED = re.compile(rf"(?:\s*<{HTML}(?:\s[^<>]{{0,200}})?>)+", re.IGNORECASE)
CLOSED = re.compile(rf"</{HTML}\s*>\s*(?P<goes_on>[^<\s])?", re.IGNORECASE)
"""Tags of HTML, and of Donut, before and behind a text. MiniGPT-v2 writes them within one, too."""
SIGNS = "<`{[\\$"
"""The first signs of a text that may be wrapped as a whole."""
FENCED = re.compile(r"\s*```(?:[a-z]{0,12}[^\S\n]*\n)?(?P<text>[^`]*)(?:```\s*)?\Z", re.IGNORECASE)
BOXED = re.compile(
    r"\s*\$*\\boxed\s*\{(?:\s*\\text(?:bf|it)?\s*\{)?(?P<text>[^{}\\]*)\}{1,2}[$.\s]*\Z"
)
BRACKETED = re.compile(
    r"\s*\[(?:image|photo|picture|caption|description)\s*:(?P<text>[^\[\]]*)\]\s*\Z", re.IGNORECASE
)
LITERAL = re.compile(r"[\[{]\s*['\"][^\\]{0,2000}\Z")
"""A text that may be a short list or dictionary of Python, without escapes."""
LIST_KEYS = frozenset(("captions", "descriptions"))
"""The names of a list of captions in an object of JSON."""
CAPTION_KEYS = frozenset(
    (
        *("caption", "final_caption", "final caption", "description", "image_caption", "alt_text"),
        *("answer", "final_answer", "response", "output", "result"),
    )
)
"""The names of the caption in an object of JSON that has other values, too."""


def unwrapped(text: str) -> str:
    """Return an answer without what it is wrapped in; the same object if it is in nothing."""
    text = untagged(without_html(text))
    for pattern in (FENCED, BOXED, BRACKETED):
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


def without_html(text: str) -> str:
    """Return the text in the first tags of HTML if a text begins with them; otherwise the same."""
    opened = OPENED.match(text)
    closed = CLOSED.search(text, opened.end()) if opened else None
    if opened is None or closed is None or closed["goes_on"]:
        return text
    return text[opened.end() : closed.start()].strip()


def from_json(text: str) -> str:
    """Return the caption in an object of JSON or Python, or in a list of one.

    Otherwise the same text.
    """
    start = text.strip()
    if start[:1] not in ("{", "["):
        return text
    try:
        value = json.loads(start)
    except (ValueError, RecursionError):
        value = literal(start)
    while isinstance(value, list) and len(value) == 1:
        (value,) = value
    caption = value if isinstance(value, str) else caption_in(value)
    if caption is None or SURROGATE.search(caption):  # half of a character, which no file can hold
        return text
    return caption.strip()


def literal(text: str) -> Any:
    """Return the value of a literal of Python; None if it is none."""
    if LITERAL.match(text) is None:
        return None
    try:
        return ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def caption_in(value: Any) -> str | None:
    """Return the caption in an object: its only value, or the only one with the name of a caption.

    Of a list of captions it is the first. None if that is no string.
    """
    if not isinstance(value, dict):
        return None
    values = {str(key).lower(): each for key, each in value.items()}
    if len(values) > 1:
        values = {key: each for key, each in values.items() if key in CAPTION_KEYS | LIST_KEYS}
    if len(values) != 1:
        return None
    ((key, caption),) = values.items()
    if isinstance(caption, list) and key in LIST_KEYS:
        caption = next(iter(caption), None)
    return caption if isinstance(caption, str) else None
