"""The terms of a filter as people type them, such as `model:otter -done tries>1 "out of memory"`.

The filter of the Shards screen and the search in captions have the same syntax: terms with blanks
between them, all of which must hold. `-`, `!` or `not` before a term negates it, and what stands in
quotation marks is one text, whatever it holds.
"""

from __future__ import annotations

import re
from typing import NamedTuple

TERM = re.compile(
    r"""\s*(?P<no>-(?=\S)|!(?=\S)|not\s+(?=\S))?
    (?P<text>
        (?:(?P<key>[^\s"<>=:]+)(?:(?P<operator><=|>=|[:<>=])
            |\s+(?P<spaced><=|>=|[<>=])\s*(?=-?\.?\d)))?
        (?P<value>"[^"]*"(?=\s|$)|[^\s"]\S*|(?(key)(?=\s|$)|(?!)))
    )""",
    re.VERBOSE | re.IGNORECASE,
)


class FilterError(ValueError):
    """Raised if a filter cannot be understood; the message names the term."""


class Term(NamedTuple):
    """One term of a filter."""

    negated: bool
    key: str | None
    """What stands before the operator; None of a term that is a word or a text alone."""
    operator: str
    """`:`, `<`, `>`, `=`, `<=` or `>=`; empty without a key."""
    value: str
    """The word, text or number, without quotation marks."""
    quoted: bool
    """True if the value stood in quotation marks."""
    text: str
    """The term as it was typed, without what negates it."""


def parse_terms(text: str) -> list[Term]:
    """Return the terms of a filter. Raises `FilterError`."""
    terms = []
    end = len(text.rstrip())
    place = 0
    while place < end:
        match = TERM.match(text, place, end)
        if match is None:
            raise FilterError(f"a quotation mark is not closed: {text[place:].strip()}")
        place = match.end()
        value = match["value"]
        quoted = value.startswith('"')
        terms.append(
            Term(
                negated=match["no"] is not None,
                key=match["key"],
                operator=match["operator"] or match["spaced"] or "",
                value=value[1:-1] if quoted else value,
                quoted=quoted,
                text=match["text"],
            )
        )
    return terms
