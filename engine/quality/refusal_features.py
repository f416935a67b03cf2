"""What counts for and against a text being a refusal: its words, and kinds of words in a row."""

from __future__ import annotations

import re

from engine.quality.refusal_words import OTHER, kind_of, stem
from engine.quality.words import QUOTED

TOKEN = re.compile(r"[^\W_]+|[.,;:!?()\n\u2014\u2013]")
OPEN_QUOTE = re.compile(r"(?<=\w )[\"\u201c][^\"\u201c\u201d]*\Z")
"""A quotation mark within a text that nothing closes, as where a text was cut within what it
quotes."""
OPENED = ("{", "[", "<", "`", "(")
CLOSED = ("}", "]", ">", "`", ")")
"""Signs around a refusal in some form of data, in which nothing is left out as quoted."""
WRITTEN_OUT = (
    ("can't", "can not"),
    ("cannot", "can not"),
    ("won't", "will not"),
    ("n't", " not"),
    ("n/a", "na"),
)
LONGEST = 1000
MOST_TOKENS = 16
"""Characters, and words and marks, at the beginning of a text that are looked at."""
MOST_OTHERS = 3
NEAR = 4
"""How many words, without fillers, a kind may stand behind another that it follows."""


def unquoted(text: str) -> str:
    """Return the beginning of a text in lower case, without what it quotes.

    A text that is quoted as a whole, or in some form of data, stays.
    """
    plain = text[:LONGEST].strip().lower().replace("\u2019", "'")
    if plain.startswith(OPENED) and plain.endswith(CLOSED):
        return plain
    if QUOTED.fullmatch(plain):
        return plain[1:-1]
    return OPEN_QUOTE.sub(" , ", QUOTED.sub(" , ", plain))


def clauses_of(text: str) -> list[list[str]]:
    """Return the words of each clause in the beginning of a text, but for what it quotes."""
    plain = unquoted(text)
    for short, long in WRITTEN_OUT:
        plain = plain.replace(short, long)
    clauses: list[list[str]] = [[]]
    for token in TOKEN.findall(plain)[:MOST_TOKENS]:
        if token[0].isalnum():
            clauses[-1].append(token)
        elif clauses[-1]:
            clauses.append([])
    return [clause for clause in clauses if clause]


def features_of(text: str) -> set[str]:
    """Return the features of a text.

    They are stems, pairs of neighbours (`can_not`), kinds of words, and kinds that follow each
    other in a clause (`<speaker><not>`), be it with other words between them. `^` is the beginning
    of the text or clause, `$` its end. Numbers (`<1>` to `<3>`) count the words of no kind, which
    mostly name what can be seen.
    """
    features: set[str] = set()
    previous = "^"
    others = 0
    for clause in clauses_of(text):
        kinds = ["^"]
        for word in clause:
            stemmed = stem(word)
            features.add(stemmed)
            features.add(f"{previous}_{stemmed}")
            previous = stemmed
            if kind := kind_of(word, stemmed):
                kinds.append(f"<{kind}>")
                others += kind == OTHER
        features.update(kinds[1:])
        kinds.append("$")
        for i, first in enumerate(kinds):
            features.update(first + second for second in kinds[i + 1 : i + NEAR + 1])
    features.add(f"{previous}_$")
    features.update(f"<{number}>" for number in range(1, min(others, MOST_OTHERS) + 1))
    return features
