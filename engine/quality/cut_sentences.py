"""Whether shearing cut a caption within a sentence.

Mode `paper` does so, since it ends a caption at the first full stop: "Dr" is left of "Dr. Lee
waves", and "A price tag of $4" of "A price tag of $4.50".
"""

from __future__ import annotations

import re

from engine.quality.defects import ends_in_quote
from engine.shearing.sentences import ends_sentence, split_first_sentence

CLOSED = (".", "!", "?")
"""The ends of sheared texts that mode `sentence` leaves."""
END_SIGNS = ".\u2026\"'\u201d\u2019)] \n"
"""Signs behind the last word of a sentence."""
CLOSING = ('"', "'", "`", "*", "_", "\u201d", "\u2019")
"""Signs that end what a caption is wrapped in, such as Markdown or the text of a JSON object."""
OPENING = re.compile('["(\u201c]')
"""A sign that begins a quotation or brackets."""
LONG_WORD = 40
"""Characters of the word before a full stop, and of the one behind it, at most."""
LONGEST_ABBREVIATION = 4
"""Letters up to which a word may be an abbreviation."""


def is_cut_within_sentence(raw: str, sheared: str) -> bool:
    """Return True if a text was cut at a full stop that ends no sentence."""
    if len(raw) <= len(sheared) + 1 or not sheared or sheared.endswith(CLOSED):
        return False
    start = raw.find(sheared)
    end = start + len(sheared)
    if start < 0 or raw[end : end + 1] != ".":
        return False
    if OPENING.search(sheared) is not None and is_open(sheared):
        return raw[end:].strip(END_SIGNS) != ""
    if raw.startswith(CLOSING, end + 1):
        return False
    last = sheared[-LONG_WORD:].rpartition(" ")[2]
    following = raw[end + 1 : end + LONG_WORD]
    if following and last.isalpha() and is_end(last, following):
        return False
    first = split_first_sentence(raw[start:])
    return len(first.rstrip(END_SIGNS)) > len(sheared.rstrip(END_SIGNS))


def is_open(text: str) -> bool:
    """Return True if a text ends within quotation marks or brackets."""
    return ends_in_quote(text) or text.count("(") > text.count(")")


def is_end(last: str, following: str) -> bool:
    """Return True if a sentence surely ends behind a last word, which is told quickly."""
    if not following[0].isspace():
        return len(last) > 1 and last.islower() and following[0].isupper()  # a blank is missing
    if len(last) > LONGEST_ABBREVIATION and last.islower():
        return True
    return ends_sentence(last, following.lstrip().partition(" ")[0])
