"""Quotation marks around a whole caption, and signs of Markdown around it and in it."""

from __future__ import annotations

import re

FIRST = frozenset("\"\u201c\u201e\u00ab\u300c\u300e'\u2018*_`~")
"""The first signs of texts that may be marked as a whole."""
MARKED = re.compile(
    r"(?P<emphasis>[*_]{1,3}|[`~])?(?:"
    r"(?P<quote>[\"\u201c\u201e\u00ab])(?P<quoted>[^\"\u201c\u201d\u00bb\n]*)[\"\u201c\u201d\u00bb]"
    r"|[\u300c\u300e](?P<in_corners>[^\u300c-\u300f\n]*)[\u300d\u300f]"
    r"|(?P<single>['\u2018])(?P<in_single>(?:[^'\u2018\u2019\n]|(?<=\w)['\u2019](?=\w))*)['\u2019]"
    r"|(?(emphasis)(?P<plain>[^*_`\n]*)|(?!)))"
    r"(?(emphasis)\.?(?P=emphasis))\.?\Z"
)
"""A text in one line between marks of emphasis, quotation marks, or both."""
OPEN = re.compile(
    r"\*{2,3}(?!.*\*\*)|[\"\u201c\u201e\u00ab](?!.*[\"\u201c\u201d\u00bb])"
    r"|['\u2018](?!.*['\u2019](?!\w))",
    re.DOTALL,
)
"""A mark at the beginning of a text that nothing closes."""
APOSTROPHES = ("'", "\u2018")
LINK = re.compile(r"!?\[([^\[\]\n]*)\]\((?:[^()\s]|\([^()\s]*\))*\)")
"""A link or a picture of Markdown, and its text."""
EMPHASIS = re.compile(
    r"(?<![\w*_])(?P<sign>\*{1,3}|_{1,3})(?=[^\s*_])([^*_\n]*)(?<=\S)(?P=sign)(?![\w*_]|\.\w)"
)
"""A part of a caption between marks of emphasis."""


def unmarked(text: str) -> str:
    """Return a text without white space around it and without marks around all of it.

    Marks within it stay, so that `"A" and "B"` is left as it is.
    """
    text = text.strip()
    if text[:1] not in FIRST:
        return text
    marked = MARKED.match(text)
    if marked is None:
        return text
    inner = marked["quoted"] or marked["in_corners"] or marked["in_single"] or marked["plain"] or ""
    return inner.strip()


def without_markdown(text: str) -> str:
    """Return a text without the marks of emphasis in it, and with the texts of links alone."""
    if "](" in text:
        text = LINK.sub(r"\1", text)
    if "*" in text or "_" in text:
        text = EMPHASIS.sub(r"\2", text)
    return text


def without_open_mark(text: str) -> str:
    """Return a text without a mark at its beginning that nothing closes, but for an apostrophe."""
    if text[:1] not in FIRST or text[:1] in APOSTROPHES:
        return text
    opened = OPEN.match(text)
    return text if opened is None else text[opened.end() :].lstrip()


def is_open(text: str) -> bool:
    """Return True if a text that goes on begins with a mark that is not closed yet."""
    return OPEN.match(text.lstrip()) is not None
