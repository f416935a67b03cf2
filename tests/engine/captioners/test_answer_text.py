"""Which answers hold a caption, and what is done about those that do not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from engine.captioners.answer_text import (
    LONGER_TOKENS,
    SHOWN_CHARACTERS,
    why_no_caption,
    with_longer_cap,
)
from engine.captioners.base import Caption, Captioner, Finish
from engine.captioners.settings import MAX_NEW_TOKENS, Settings
from engine.images.image import ImageProblem, Picture

CAPTIONS = (
    "A red ball",
    "<think>Let me look.</think> A ball",
    "Let me look.</think>\n\nA dog",
    "A red ball</s>",
    "</s> A dog",
    "<|im_start|>assistant\nA dog.<|im_end|>",
    "assistant\nA dog",
    "### Caption: dog",
    "### A dog ### It runs",
    "<answer>A dog</answer>",
    "\u4e00\u53ea\u72d7",
    "7",
    "<PERSON> with an assistant coach",
)
REASONING = ("<think>", "<think>Let me", "<think>x</think>\n", "\u25c1think\u25b7Hm", "[THINK]Hm")
EMPTY = ("", " \n", "...", "\u2026", "###", "!!!", "\u200b")
TOKENS = (
    *("</s>", "<|im_end|>", "<|im_start|>assistant\n", "assistant\n", "<image>", "[PAD][PAD]"),
    *("<|endoftext|><|endoftext|>", "<pad>" * 30, "<answer></answer>", "[INST]"),
)


@pytest.mark.parametrize("text", CAPTIONS)
def test_a_caption(text: str) -> None:
    assert why_no_caption(text) is None


@pytest.mark.parametrize(
    ("texts", "beginning"),
    [
        (REASONING, "reasoning without an answer: raise max_new_tokens or switch thinking off"),
        (EMPTY, "the answer is empty"),
        (TOKENS, "the answer holds only tokens of a chat template"),
    ],
)
def test_no_caption(texts: Sequence[str], beginning: str) -> None:
    assert {text: why_no_caption(text) for text in texts} == dict.fromkeys(texts, beginning)


def test_what_began_within_reasoning_and_never_left_it_is_none() -> None:
    assert why_no_caption("The user wants a caption", reasoning="The user wants a caption")
    assert "reasoning_content" in str(why_no_caption("", reasoning="Let me look."))
    assert why_no_caption("A dog", reasoning="Let me look.") is None


@pytest.mark.parametrize(
    ("cap", "room", "longer"),
    [
        (30, MAX_NEW_TOKENS, LONGER_TOKENS),
        (1000, MAX_NEW_TOKENS, 2000),
        (3000, MAX_NEW_TOKENS, MAX_NEW_TOKENS),
        (30, 200, 200),
        (30, 10, 30),
    ],
)
def test_the_cap_for_asking_again(cap: int, room: int, longer: int) -> None:
    assert with_longer_cap(Settings(max_new_tokens=cap), room).max_new_tokens == longer


class Thinker(Captioner):
    """A model that says the input up to a cap of characters, and notes what it is asked again."""

    batch = 4

    def __init__(self, longer: int) -> None:
        self.longer = longer
        self.again: list[Any] = []

    def prepare(self, picture: Picture) -> Any:
        return picture

    def say(self, text: str, cap: int) -> Caption:
        finish: Finish = "length" if len(text) > cap else "stop"
        return Caption(text[:cap], len(text[:cap]), finish)

    def caption(self, inputs: Sequence[Any], record_ids: Sequence[int]) -> list[Caption]:
        return [self.say(text, 10) for text in inputs]

    def caption_longer(
        self, inputs: Sequence[Any], record_ids: Sequence[int]
    ) -> list[Caption | ImageProblem]:
        self.again += record_ids
        if self.longer == 0:
            return [ImageProblem("refused", "too long") for _ in inputs]
        return [self.say(text, self.longer) for text in inputs]


TEXTS = ("A dog runs along a beach", "<think>It is a dog.</think>A dog", "", "<think></think>")


@pytest.mark.parametrize(("longer", "second"), [(100, TEXTS[1]), (20, None), (0, None)])
def test_an_answer_that_was_cut_before_its_caption_is_asked_for_again_once(
    longer: int, second: str | None
) -> None:
    """One that ended by itself would be the same again."""
    captioner = Thinker(longer)
    answers = captioner.answer_each(TEXTS, range(4))
    assert captioner.again == [1, 3]
    raw = [it.raw if isinstance(it, Caption) else None for it in answers]
    assert raw == [TEXTS[0][:10], second, None, None]
    assert {it.kind for it in answers if isinstance(it, ImageProblem)} == {"no_caption"}


def test_a_failure_keeps_what_was_said_within_limits() -> None:
    (answer,) = Thinker(10**6).answer_each(["<think>" + "a b " * 10_000], [0])
    assert isinstance(answer, ImageProblem)
    assert "'<think>a b a b" in answer.detail
    assert len(answer.detail) < SHOWN_CHARACTERS + 200
