"""The control tokens of a checkpoint, which no text of a record may bring into a prompt."""

from __future__ import annotations

import re
from typing import Any

PUNCTUATION = re.compile(r"[^\w\s]")
"""What is in the text of a control token. Vocabularies are also enlarged by words."""


class ControlTokens:
    """What the tokenizer of a processor takes for a token of its own where it stands in a text."""

    def __init__(self, processor: Any) -> None:
        """Look at a processor, which has a tokenizer."""
        self.tokenizer = processor.tokenizer
        added = dict(self.tokenizer.get_added_vocab())
        special = {
            self.tokenizer.convert_ids_to_tokens(it): it for it in self.tokenizer.all_special_ids
        }
        known = {
            text: number
            for text, number in (added | special).items()
            if len(text) > 1 and PUNCTUATION.search(text)
        }
        # Any character that a vocabulary lacks becomes this one.
        known.pop(str(getattr(self.tokenizer, "unk_token", None)), None)
        self.numbers = frozenset(known.values())
        named = (getattr(processor, name, None) for name in dir(processor) if "_token" in name)
        self.texts = sorted({*known, *(it for it in named if is_mark(it))}, key=len, reverse=True)
        """The texts of the tokens, and those that the processor itself looks for."""

    def taken_apart(self, text: str) -> str:
        """Return a text with a space in each control token."""
        for token in self.texts:
            if token in text:
                text = text.replace(token, f"{token[0]} {token[1:]}")
        return text

    def ids(self, text: str) -> list[int]:
        """Return the ids of the control tokens in a text, in order."""
        found = self.tokenizer(text, add_special_tokens=False).input_ids
        return [it for it in found if it in self.numbers]


def is_mark(value: Any) -> bool:
    """Return True if an attribute of a processor is a text that it looks for in prompts."""
    return isinstance(value, str) and len(value) > 1 and bool(PUNCTUATION.search(value))
