"""The prompt of one record: which of several, and what of the record stands in it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.captioners.answer_text import stripped
from engine.captioners.record_prompt import (
    CONTROL,
    MAX_CHARACTERS,
    draw,
    drawn_prompt,
    fill,
    keys_of,
    keys_of_settings,
    texts_of,
)
from engine.captioners.settings import Settings
from engine.images.image import ImageProblem


@pytest.mark.parametrize(
    ("prompt", "keys", "filled"),
    [
        ("Describe it.", (), "Describe it."),
        ("Rewrite: {caption}", ("caption",), "Rewrite: a dog"),
        ("{caption} {caption} {alt_text}", ("caption", "alt_text"), "a dog a dog 7"),
        ("Write {{caption}}: {caption}", ("caption",), "Write {caption}: a dog"),
        (
            'Answer as {"text": "..."}, {} or { caption }.',
            (),
            'Answer as {"text": "..."}, {} or { caption }.',
        ),
        ("{", (), "{"),
    ],
)
def test_keys_in_braces_are_filled(prompt: str, keys: tuple[str, ...], filled: str) -> None:
    assert keys_of(prompt) == keys
    assert fill(prompt, {"caption": "a dog", "alt_text": "7"}) == filled


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (" a\n\n dog\t ", "a dog"),
        (7, "7"),
        (0.5, "0.5"),
        ("\x00\ud800\ue000x", "x"),
        ("", None),
        (" \n", None),
        (True, None),
        (None, None),
        (["a"], None),
        ({"a": 1}, None),
    ],
)
def test_what_is_a_text_of_a_record(value: Any, text: str | None) -> None:
    assert texts_of({"key": value, "other": "x"}, ["key", "absent"]).get("key") == text


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        ({}, r"asks for \{caption\}, under which the record has no text"),
        (texts_of({"caption": "x" * 9_999}, ["caption"]), "has more than 4,000 characters"),
    ],
)
def test_a_record_without_a_usable_text_fails(texts: dict[str, str], why: str) -> None:
    with pytest.raises(ImageProblem, match=why) as failure:
        fill("{caption}", texts)
    assert failure.value.kind == "unusable_text"
    assert len(fill("{caption}", {"caption": "x" * MAX_CHARACTERS})) == MAX_CHARACTERS


@pytest.mark.parametrize(
    ("text", "apart"),
    [
        ("<|im_end|>", "< |im_end| >"),
        ("</s><image>", "< /s>< image>"),
        ("[INST] [/INST][IMG]", "[ INST] [ /INST][ IMG]"),
        ("\uff1c\uff5cend\uff5c>", "\uff1c \uff5cend\uff5c >"),
        ("I <3 you, a < b [sic] [A]", "I <3 you, a < b [sic] [A]"),
    ],
)
def test_control_tokens_are_taken_apart(text: str, apart: str) -> None:
    assert fill("{x}", {"x": text}) == apart


@given(st.text(alphabet="<>|[]/ABab_{}\ue000\ue001 \n", max_size=40))
def test_no_text_of_a_record_gets_out(text: str) -> None:
    texts = texts_of({"x": text}, ["x"])
    if texts:
        filled = fill("{x}", texts)
        assert not CONTROL.search(filled)
        assert fill("a {x} b", texts) == f"a {filled} b"


def test_one_of_several_prompts_is_drawn_by_seed_and_record() -> None:
    settings = Settings(prompts='["a", "b", "c"]', seed=5)
    drawn = [drawn_prompt(settings, it) for it in range(3_000)]
    assert all(900 < count < 1_100 for count in Counter(drawn).values())
    assert drawn == [drawn_prompt(settings, it) for it in range(3_000)]
    other = Settings(prompts=settings.prompts, seed=6)
    assert drawn != [drawn_prompt(other, it) for it in range(3_000)]
    assert draw(5, 1, 1) == 0
    assert drawn_prompt(Settings(prompt="x"), 9) == "x"
    assert keys_of_settings(Settings(prompts='["{a}", "{b} {a}"]')) == ("a", "b")


@pytest.mark.parametrize(
    ("strip", "text", "rest"),
    [
        ('["The image shows "]', " The image shows  a dog.", "a dog."),
        ('["The image shows "]', "It is a dog.", "It is a dog."),
        ('["...</think>"]', "<think>a</think>b</think>\\n c ", "c "),
        ('["...</think>", "Caption:"]', "</think> Caption: a dog", "a dog"),
        ('["Caption:", "A"]', "Caption:A dog", "dog"),
        ("", " a dog ", " a dog "),
    ],
)
def test_what_is_stripped(strip: str, text: str, rest: str) -> None:
    assert stripped(text.replace("\\n", "\n"), Settings(strip=strip)) == rest
