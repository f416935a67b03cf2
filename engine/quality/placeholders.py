"""Texts that stand for a caption that is absent: "N/A", "Untitled", a label alone ("Caption:")."""

from __future__ import annotations

from collections.abc import Sequence

PLACEHOLDERS = frozenset(
    (
        *("n a", "na", "nan", "none", "null", "nil", "undefined", "unknown", "untitled", "tbd"),
        *("not available", "not applicable", "unavailable", "no caption", "no description"),
        *("no title", "no text", "no data", "no caption available", "no description available"),
        *("caption unavailable", "caption not available", "description not available"),
        *("lorem ipsum", "placeholder", "insert caption here", "caption here", "todo"),
        *("lorem ipsum dolor sit amet", "lorem ipsum dolor sit amet consectetur adipiscing elit"),
        *("unanswerable", "blank", "empty", "no answer", "no response", "not provided", "nothing"),
        *("caption", "image caption", "short caption", "the caption", "description", "answer"),
        *("image description", "short description", "the description", "response", "output"),
        *("image", "picture", "photo", "photograph", "the image", "the picture", "title", "text"),
    )
)
"""Texts that stand for a caption that is absent, as the words of `words_of`."""
PLACEHOLDER_WORDS = frozenset(" ".join(PLACEHOLDERS).split())
"""The words of such texts."""
MOST_WORDS = max(len(text.split()) for text in PLACEHOLDERS)


def is_placeholder(words: Sequence[str]) -> bool:
    """Return True if a text with these words (`words_of`) stands for a caption that is absent."""
    return len(words) <= MOST_WORDS and " ".join(words) in PLACEHOLDERS
