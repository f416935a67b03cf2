"""The turns of a chat, where a model repeats the question before it answers."""

from __future__ import annotations

import re

TOKENS = (
    r"(?:<\|im_start\|>|<\|start_header_id\|>|<start_of_turn>|<\|turn>|[<\[][|\uff5c])"
    r"\s*(?i:system|user|human)\b|\[INST\]"
)
"""The tokens with which a turn of the user begins, or the system's."""
ANSWER_TOKENS = (
    r"(?:(?:<\|im_start\|>|<\|start_header_id\|>|<start_of_turn>|<\|turn>|[<\[][|\uff5c])"
    r"\s*(?i:assistant|model)\b(?:<\|end_header_id\|>|[|\uff5c][>\]])?|\[/INST\])(?:[^\S\n]*:)?"
)
"""The same for the turn of the assistant."""
BEGINNING = (
    r"\s*(?:(?:<s>|<bos>|<\|begin_of_text\|>|#{2,4}"
    r"|A chat between a curious [^\n:]{0,300}?(?=\b(?:USER|Human):))\s*)*+"
)
"""What may stand before the first turn. "A chat between a curious user ..." is Vicuna's."""
BY_TOKENS = (re.compile(rf"{BEGINNING}(?:{TOKENS})"), re.compile(ANSWER_TOKENS))
BY_LABELS = (
    (
        re.compile(
            rf"{BEGINNING}(?:(?:USER|User|HUMAN|Human|SYSTEM|System|Instruction)\s*:"
            r"|(?:system|user|human)\s*(?::|\n))"
        ),
        re.compile(
            r"(?:#{2,4}\s*)?\b(?:ASSISTANT|Assistant|GPT|Response)\s*:"
            r"|\n(?:assistant|model)\s*(?::|\n)|\sassistant\s*:"
        ),
    ),
    (
        re.compile(rf"{BEGINNING}(?:QUESTION|Question|Q)\s*:(?!\s*and\b)"),
        re.compile(r"\b(?:ANSWER|Answer|[A-Z][a-z]{2,9} answer|A)\s*:"),
    ),
)
"""Patterns of the question and of the answer: of tokens, and of labels in plain text."""


def behind_tokens(text: str) -> str:
    """Return a text without the user's turn at its beginning, if tokens mark the turns."""
    return behind(text, *BY_TOKENS)


def behind_question(text: str) -> str:
    """Return a text without the question at its beginning, if labels mark question and answer."""
    for question, answer in BY_LABELS:
        rest = behind(text, question, answer)
        if rest is not text:
            return rest
    return text


def behind(text: str, question: re.Pattern[str], answer: re.Pattern[str]) -> str:
    """Return what follows on the mark of the answer, if a text begins with that of a question.

    The same object if it does not, or if nothing follows.
    """
    asked = question.match(text)
    answered = answer.search(text, asked.end()) if asked else None
    if answered is None:
        return text
    return text[answered.end() :].lstrip() or text


def is_question(text: str) -> bool:
    """Return True if a text that goes on is within a question that it repeats."""
    return any(
        question.match(text) is not None and behind(text, question, answer) is text
        for question, answer in (BY_TOKENS, *BY_LABELS)
    )
