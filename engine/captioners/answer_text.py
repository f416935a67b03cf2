"""What becomes of a model's answer before it is a raw caption, and whether it is one at all.

Imports no torch.
"""

from __future__ import annotations

import re
from dataclasses import replace

from engine.captioners.settings import MAX_NEW_TOKENS, Settings
from engine.images.image import ImageProblem
from engine.shearing.reasoning import answer_of, has_reasoning, is_reasoning, opens_reasoning
from engine.shearing.sentences import END_MARK

UP_TO = "..."
"""What stands before a text of `strip` with which everything before it is cut as well."""
LONGER_TOKENS = 1024
"""New tokens with which a model is asked again after an answer without a caption, unless twice
`max_new_tokens` are more: models that reason before a short answer write some hundreds."""
SHOWN_CHARACTERS = 1_500
"""Characters of an answer without a caption that its failure keeps: the log keeps 2,000 of both."""
TEMPLATE_TOKEN = re.compile(r"<[^<>\s]{1,60}>|\[/?[A-Z_]{2,20}\]|\b(?:assistant|ASSISTANT)\b")
"""What a chat template or a tokenizer writes between texts, and the role of the model."""
WORD = re.compile(r"[^\W_]")
"""A letter or a digit, in any script."""
WAY_OUT = "raise max_new_tokens or switch thinking off"
"""What to do about a model that reasons before it answers."""


def stripped(text: str, settings: Settings) -> str:
    """Return a text without what the setting `strip` names, in its order.

    A text of it is cut from the beginning, with the white space around it; `...TEXT` cuts
    everything up to the last TEXT, such as the reasoning that ends with `</think>`. What is not
    there changes nothing.
    """
    for cut in settings.strip_texts:
        before, _, mark = cut.partition(UP_TO)
        if not before and mark:
            _, found, rest = text.rpartition(mark)
            text = rest.lstrip() if found else text
        elif text.lstrip().startswith(cut):
            text = text.lstrip().removeprefix(cut).lstrip()
    return text


def with_prefill(text: str, settings: Settings) -> str:
    """Return a text that continues `prefill` with it in front, where the caption is to have it."""
    prefill = settings.prefill
    return text if text.startswith(prefill) else prefill + text


def with_longer_cap(settings: Settings, room: int = MAX_NEW_TOKENS) -> Settings:
    """Return settings with the cap for asking again after an answer without a caption.

    `room` is the largest cap that the model can take; the cap becomes no smaller than it is.
    """
    longer = max(2 * settings.max_new_tokens, LONGER_TOKENS)
    cap = max(settings.max_new_tokens, min(MAX_NEW_TOKENS, longer, room))
    return replace(settings, max_new_tokens=cap)


def why_no_caption(text: str, reasoning: str = "") -> str | None:
    """Return why a model's answer holds no caption, for people; None if it holds one.

    `reasoning` is that of `base.Caption`.
    """
    answer = answer_of(text)
    all_reasoning = text != "" and text == reasoning
    # A tag behind the answer, with nothing behind it, opens no reasoning.
    unfinished = is_reasoning(text) and not opens_reasoning(text)
    if all_reasoning or unfinished or (has_reasoning(text) and not WORD.search(answer)):
        return f"reasoning without an answer: {WAY_OUT}"
    if WORD.search(TEMPLATE_TOKEN.sub("", END_MARK.sub("", answer))):
        return None
    if reasoning:
        return f"the answer is empty, only reasoning_content is not: {WAY_OUT}"
    if WORD.search(text):
        return "the answer holds only tokens of a chat template"
    return "the answer is empty"


def no_caption(why: str, text: str) -> ImageProblem:
    """Return the failure of a record about which a model said nothing but this text."""
    return ImageProblem(
        "no_caption", f"{why}; it says {text[:SHOWN_CHARACTERS]!r}" if text else why
    )
