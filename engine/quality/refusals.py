"""Refusals: the model says that it cannot or will not caption the image."""

from __future__ import annotations

import re
from collections.abc import Sequence

from engine.quality.refusal_phrases import LATER, OPENINGS, STARTS
from engine.quality.words import QUOTED

REFUSAL = re.compile(rf"\W*(?:{OPENINGS}\b[,.!: \u2014-]*)*(?:{'|'.join(STARTS)})", re.IGNORECASE)
LATER_REFUSAL = re.compile("|".join(LATER), re.IGNORECASE)
FIRST_WORDS = frozenset(
    """
    after alt apologies as at attach attachment attachments because but can cannot caption captions
    content contents could couldn description descriptions desculpe disculpa due entschuldigung
    error es failed file files for forgive hello hey hi hm hmm hmmm honestly however i if im image
    images include it je kindly let lo mi my no not nothing oh once oops pardon photo photograph
    photographs photos picture pictures please provide przepraszam re regrettably request resend
    reupload sadly safety send share sinto sorry thank thanks that the there this to try tut uh
    unable under unfortunately upload visual we well what when which while without would you your
    """.split()  # noqa: SIM905
)
"""The words with which a refusal in ASCII begins, as `words_of` gives them."""
PICTURES = frozenset(
    """
    attachment attachments caption captions content contents description descriptions file files
    image images photo photograph photographs photos picture pictures visual
    """.split()  # noqa: SIM905
)
REFUSED_THINGS = PICTURES | frozenset(
    """
    actual assistant chat chatbot corresponding is link model original prompt question request s
    system url version visible
    """.split()  # noqa: SIM905
)
"""What stands behind "the", "this" and "that" where a refusal begins with them."""
SAID_OF_THINGS = tuple(
    """
    appears blocked can contains content could declined denied did does failed generation goes has
    input is loading may might not processing refused rejected seems something that unavailable
    upload violates was would you
    """.split()  # noqa: SIM905
)
"""Beginnings of what is said of them in such a refusal."""
GIVEN_WORDS = frozenset(
    ("provided", "attached", "uploaded", "given", "shared", "linked", "requested")
)
"""Words before a picture that are in few other captions."""
NEGATIONS = ("no", "not", "nothing")
LATER_WORDS = frozenset(
    """
    able ai artificial guidelines i language me my our policies policy principles programming rules
    unable we
    """.split()  # noqa: SIM905
)
"""One of these words is in every text of `LATER`."""


def is_refusal(text: str, words: Sequence[str], distinct: frozenset[str]) -> bool:
    """Return True if a model refuses in this text to caption the image.

    `words` are those of the text (`words_of`), `distinct` the same as a set.
    """
    if not words:
        return False
    if (not text.isascii() or may_begin_refusal(words)) and REFUSAL.match(plain_of(text)):
        return True
    return not LATER_WORDS.isdisjoint(distinct) and (
        LATER_REFUSAL.search(QUOTED.sub("", plain_of(text))) is not None
    )


def plain_of(text: str) -> str:
    """Return a text with the apostrophes of ASCII."""
    return text.replace("\u2019", "'")


def may_begin_refusal(words: Sequence[str]) -> bool:
    """Return False for most texts in ASCII with these words that do not begin with a refusal.

    The pattern takes ten times as long, above all of "The image shows" and "There are".
    """
    if words[0] not in FIRST_WORDS:
        return False
    if len(words) < 3:
        return True
    first, second, third = words[:3]
    if first in ("the", "this", "that"):
        if second in GIVEN_WORDS:
            return True
        if third == "of":
            return second.startswith("content")
        return second in REFUSED_THINGS and third.startswith(SAID_OF_THINGS)
    if first in PICTURES:
        return first == "content" or second.startswith(SAID_OF_THINGS)
    return first != "there" or second not in ("is", "are", "was") or third in NEGATIONS
