"""Which captions of a caption log hold a text.

The bytes of the log are searched first, which is ten times faster than parsing it, and only lines
that may hold the text are parsed. Nothing is missed by that: whatever way there is to write the
text in JSON is searched.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from engine.project.health_file import caption_texts
from engine.project.log_rows import parse, plain_captions
from engine.protocol.caption_row import CaptionRow

ROW_LINE = re.compile(rb'\n\{"i": ?(\d{1,8}), ?"(?:raw|error)":')
"""The start of a row behind the end of another line."""
FEW = 0.03
"""Share of the lines of a log up to which lines are parsed one by one: a line alone takes several
times as long as one of many, and many are known only once they are found."""
UNESCAPED = re.compile(r"[ !#-.0-\[\]-~]+")
"""ASCII characters that JSON writes as they are, or as `\\u`; a slash may be escaped otherwise."""
ALSO_LOWER = {"k": "\u212a", "i": "\u0130"}
"""The only characters beside ASCII whose lower case has a letter of ASCII: the Kelvin sign and the
dotted I."""


class SearchedText:
    """A text that is searched in captions, in upper or lower case."""

    def __init__(self, text: str) -> None:
        self.folded = fold(text)
        runs = UNESCAPED.findall(self.folded) or caseless_runs(self.folded)
        run = max(runs, key=len, default="")
        spellings = [run, *(other for letter, other in ALSO_LOWER.items() if letter in run)]
        self.spellings = [each.encode("utf-8", "surrogatepass") for each in spellings]
        """What one of must be in the lower case of a line that holds the text, if no character of
        it is written as `\\u`; the first is empty if nothing is known."""

    def is_in(self, text: str) -> bool:
        """Return True if `text` holds this one."""
        return self.folded in fold(text)


def fold(text: str) -> str:
    """Return the lower case of a text, with one small sigma: the other one ends words."""
    return text.lower().replace("\u03c2", "\u03c3")


def caseless_runs(text: str) -> list[str]:
    """Return the longest parts of a folded text whose characters have one case, such as Chinese."""
    cased = upper_cases()
    parts = "".join("\n" if each in cased or each <= "\x7f" else each for each in text)
    return [part for part in parts.split("\n") if part]


@cache
def upper_cases() -> frozenset[str]:
    """Return all characters that are part of what folding makes of another one."""
    every = map(chr, range(0x110000))
    return frozenset(part for each in every if (folded := fold(each)) != each for part in folded)


def find_text(data: bytes, count: int, wanted: SearchedText) -> set[int]:
    """Return the indices of the records whose caption holds a text.

    `data` are whole lines of the caption log of a shard of `count` records; of the captions of a
    record, the last one counts.
    """
    if wanted.spellings[0]:
        limit = int(FEW * data.count(b"\n")) + 1
        found: set[int] = set()
        parsed = 0
        for line in lines_to_parse(data, wanted):
            parsed += 1
            if parsed > limit:
                break
            row = caption_in(line, count)
            if row is not None and wanted.is_in(row.raw):
                found.add(row.i)
        if parsed <= limit and (not found or has_one_row_a_record(data)):
            return found
    texts = caption_texts(data, count).values()
    return {i for i, raw, _ in texts if wanted.is_in(raw)}


def lines_to_parse(data: bytes, wanted: SearchedText) -> Iterator[bytes]:
    """Yield the lines that may hold a text, some of them more than once."""
    lower = data.lower()
    others = [] if data.isascii() else wanted.spellings[1:]
    for spelling in (wanted.spellings[0], b"\\u", *others):
        place = lower.find(spelling)
        while place >= 0:
            end = data.index(b"\n", place) + 1
            yield data[data.rfind(b"\n", 0, place) + 1 : end]
            place = lower.find(spelling, end)


def caption_in(line: bytes, count: int) -> CaptionRow | None:
    """Return the caption row in a line, None if it is no caption of a shard of `count` records."""
    captions = plain_captions(line, count)  # faster than `parse`, where it can be
    if captions is not None:
        return next(iter(captions.values()), None)
    row = parse(line, count)
    return row if isinstance(row, CaptionRow) else None


def has_one_row_a_record(data: bytes) -> bool:
    """Return True if each line is the row of another record, so that none replaces another."""
    indices = ROW_LINE.findall(b"\n" + data)
    return len(set(indices)) == len(indices) == data.count(b"\n")
