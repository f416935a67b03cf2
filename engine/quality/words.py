"""The words of a caption, as every figure here counts them."""

from __future__ import annotations

import re
import string

from engine.quality.function_words import FUNCTION_WORDS

PLAIN = bytes.maketrans(
    (string.punctuation + string.ascii_uppercase).encode(),
    (" " * len(string.punctuation) + string.ascii_lowercase).encode(),
)
"""Turns the punctuation of ASCII into blanks, and capitals into small letters: several times faster
than a pattern."""
WORDS = re.compile(
    r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\u0e00-\u0e7f]"
    r"|[^\W_\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\u0e00-\u0e7f]+"
)
"""A word; in scripts without blanks (Chinese, Japanese, Thai) every character is one."""
QUOTED = re.compile(
    r"[\"\u201c\u00ab\u300c\u300e(].{0,300}?[\"\u201d\u00bb\u300d\u300f)]"
    r"|(?<!\w)['\u2018].{0,300}?['\u2019](?!\w)",
    re.DOTALL,
)
"""What stands in quotation marks or brackets, such as the words on a sign."""
HEAD = 160
"""Characters of a text in which what may stand before a caption ends."""
ENGLISH = FUNCTION_WORDS["en"]
NUMBER_WORDS = {
    word: str(number)
    for number, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve".split()  # noqa: SIM905
    )
}
"""The digits of each number that captions write as a word."""


def words_of(text: str) -> list[str]:
    """Return the words of a text in lower case: its runs of letters and digits."""
    if text.isascii():
        return text.encode().translate(PLAIN).decode().split()
    return WORDS.findall(text.lower())


def head_of(text: str) -> str:
    """Return the beginning of a text, as the patterns of beginnings take it."""
    return text[:HEAD].lower().replace("\u2019", "'")
