"""Full stops and other marks within a sentence, at which sentencex ends it."""

# ruff: noqa: RUF001 (closing quotation marks)
from __future__ import annotations

import re

NUMBER = re.compile(r"\W*\d{1,2}[.)\]]*")
"""A text that is a number alone, such as that of a list's item."""
LISTED = re.compile(r":\s+(?:1\.\s.*\s)?\d{1,2}\.\Z", re.DOTALL)
"""The end of a text in which a list begins behind a colon, and goes on with a number."""
ORDINAL = re.compile(r"\b\d{1,2}\.\Z")
MONTH = re.compile(
    r"(?:Januar|Jänner|Februar|März|April|Mai|Juni|Juli|August|September|Oktober|November|Dezember)\b"
)
"""The months behind a German ordinal number: "am 3. Oktober"."""
LONGEST_FOLLOWING = len("September") + 1
"""Characters behind a mark that tell whether the sentence goes on."""
ARTICLE_AND_ORDINAL = re.compile(
    r"(?:\A|\s)(?:the|der|die|das|dem|den|des|im|am|zum|vom)\s\d{1,2}\.\Z", re.IGNORECASE
)
"""A German ordinal number: "the 1. FC", "the 3. Etage"."""
NUMBER_AND_UNIT = re.compile(r"\d ?(?:kg|g|mg|l|ml|cl|km|m|cm|mm|mi|mph|hp|kw|sq)?\.\Z")
"""The end of a text in a number that may have a unit: "2.5 kg.", "version 3.11.2."."""
BEHIND_UNIT = re.compile(r"(?:of|in)\b")
"""Words before which a unit does not end a sentence in small letters, either."""
NAMED_PART = re.compile(
    r"\W*(?:fig|figs|figure|plate|pl|no|chapter|vol|table|page|abb)\.?\s(?:\d{1,3}|[IVXLC]{1,6})[a-d]?\.",
    re.IGNORECASE,
)
"""A text that only names a part of a book: "Fig. 4.", "Plate XII."."""
LONGEST_NAME_OF_PART = 20
ROMAN = re.compile(r"[IVXLC]{2,6}")
"""A Roman number: the word before it tells whether a sentence ends behind it."""
IN_NAME = re.compile(r"(?:[!?][\"'”’»)]*|\b[IVX]{2,}\.)\Z")
"""A mark that may be a part of a name, as in "Wham!" and "Henry VIII."."""
ABBREVIATION_LIST = """
approx avg ca cf ep est figs ft incl lbs max min ms mvt oz pp tel vol
mon tue tues wed thu thur thurs fri
tbsp tsp sra srta dra
"""
ABBREVIATIONS = frozenset(ABBREVIATION_LIST.split())
"""Abbreviations after which sentencex ends a sentence, although in captions more text follows."""


def goes_on(sentence: str, following: str, is_small: bool) -> bool:
    """Return True if a sentence goes on where sentencex ends it, before the text that follows.

    So it does after an abbreviation, after a number of a list, a month or a part of a book. Before
    a small letter it does after a number, a unit and in a name, unless the text is small: without
    capitals at the beginning of its sentences.
    """
    if last_word(sentence) in ABBREVIATIONS or NUMBER.fullmatch(sentence) is not None:
        return True
    if following[:1].islower():
        end = sentence[-20:]
        if not is_small and IN_NAME.search(end) is not None:
            return True
        has_unit = sentence[-2:-1].isalpha()
        is_part = not is_small or (has_unit and BEHIND_UNIT.match(following) is not None)
        if is_part and NUMBER_AND_UNIT.search(end) is not None:
            return True
    elif len(sentence) < LONGEST_NAME_OF_PART and NAMED_PART.fullmatch(sentence) is not None:
        return True
    if sentence[-2:-1].isdigit():
        if LISTED.search(sentence) is not None or ARTICLE_AND_ORDINAL.search(sentence[-8:]):
            return True
        return MONTH.match(following) is not None and ORDINAL.search(sentence[-4:]) is not None
    return sentence.endswith((":", ":**"))


def last_word(sentence: str) -> str:
    """Return the last word in lower case if a full stop follows it, otherwise an empty text."""
    return sentence[:-1].rpartition(" ")[2].lower() if sentence.endswith(".") else ""
