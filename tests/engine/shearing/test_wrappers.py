"""What an answer is wrapped in as a whole, and what only looks like it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.rows import ShearMode
from engine.quality.defects import DefectFinder
from engine.quality.words import words_of
from engine.shearing.shear import Shearing, shear

WRAPPED = (
    '{"caption": "A goat on a roof"}',
    '{"label": "A goat on a roof"}',
    '  {\n  "Description": "A goat on a roof",\n  "confidence": 0.93\n}\n',
    '{"reasoning": "It has horns. It climbs.", "answer": "A goat on a roof"}',
    '["A goat on a roof"]',
    '[{"caption": "A goat on a roof"}]',
    '```json\n{"caption": "A goat on a roof"}\n```',
    '```\n{"caption": "A goat on a roof"}',
    "```\nA goat on a roof\n```",
    "```text\nA goat on a roof\n```",
    "<caption>A goat on a roof</caption>",
    "<CAPTION>\nA goat on a roof\n</CAPTION>",
    "<output>A goat on a roof</output>",
    "<response> A goat on a roof",
    "<final>A goat on a roof</final>",
    "<final_answer>A goat on a roof</final_answer>",
    "It has horns. It climbs. <answer>A goat on a roof</answer>",
    "<think>Horns.</think>\n<response><caption>A goat on a roof</caption></response>",
    "<think>Horns.</think>```json\n{\"caption\": \"A goat on a roof\"}\n```",
    "['A goat on a roof']",
    "{'caption': \"A goat on a roof\", 'score': 0.5, 'tags': None}",
    '{"captions": ["A goat on a roof", "A goat climbs"]}',
    "<div>A goat on a roof</div>",
    '<div class="text"><p>A goat on a roof</p></div>',
    "<p>A goat on a roof</p>\n<p>It climbs.</p>",
    "<s_text>A goat on a roof</s_text>",
    "[Photo: A goat on a roof]",
    "$\\boxed{A goat on a roof}$",
    "<|User|>: What is it? <|Assistant|>: A goat on a roof",
    "<\uff5cUser\uff5c>What is it?<\uff5cAssistant\uff5c>A goat on a roof",
    "[|user|]What is it?[|endofturn|][|assistant|]A goat on a roof[|endofturn|]",
)  # fmt: skip
NOT_WRAPPED = (
    '{"caption": "A goat',
    '{"caption": null}',
    '{"caption": null, "error": "too dark"}',
    '{"label": "goat", "box": [1, 2, 3, 4]}',
    '["a goat", "a roof"]',
    '{"caption": "a goat", "description": "a roof"}',
    "[Goat] on a roof",
    "{'caption': goat}",
    "{'caption': {'a goat'}}",
    "{1: 'a goat', 2: 'a roof'}",
    "{'a goat', 'a roof'}",
    "[__import__('os')]",
    '{"objects": ["a goat", "a roof"]}',
    '{"captions": []}',
    "<p>A goat</p> on <p>a roof</p>",
    "A web page with <p>goat</p> in its source",
    "[Photo: a goat] on a roof",
    "{goat} on a roof",
    "$5 for a goat",
    "[]",
    "[[[",
    "`goat` in a terminal",
    "Code with ```goat``` in it",
    "A web page with <output> in its source",
)


@pytest.mark.parametrize("mode", ["paper", "sentence"])
@pytest.mark.parametrize("raw", WRAPPED)
def test_a_wrapped_answer_is_taken_out(mode: ShearMode, raw: str) -> None:
    sheared = shear(raw, "endpoint", Shearing(mode)).text
    assert sheared == "A goat on a roof"


def test_a_wrapper_is_a_leak_of_the_raw_text_that_shearing_cuts() -> None:
    finder = DefectFinder("en")
    for raw in (WRAPPED[0], WRAPPED[6], WRAPPED[10]):
        words = words_of("A goat on a roof")
        defects = finder.find(raw, "stop", "A goat on a roof", words, frozenset(words))
        assert defects & finder.cut_by_shearing(defects, "A goat on a roof"), raw


@pytest.mark.parametrize("raw", NOT_WRAPPED)
def test_what_is_not_wrapped_is_kept(raw: str) -> None:
    assert shear(raw, "llava-1.5", Shearing()).text == raw


def test_an_empty_object_has_no_caption() -> None:
    assert shear('{"caption": "", "error": "too dark"}', "hf", Shearing()).text == ""


PIECES = st.sampled_from(
    ("<caption>", "</caption>", "<answer>", "```", '{"caption": ', '"a goat"', "}", "[", "]", "\n")
)


def test_half_a_character_in_json_stays_as_it_is_written() -> None:
    raw = r'{"caption": "A goat \ud83d on a roof"}'
    assert shear(raw, "hf", Shearing("sentence")).text == raw


@given(st.lists(PIECES).map("".join))
def test_any_text_can_be_unwrapped(raw: str) -> None:
    for mode in ("paper", "sentence"):
        sheared = shear(raw, "hf", Shearing(mode))
        assert sheared.start is None or raw[sheared.start : sheared.end] == sheared.text


@pytest.mark.parametrize(
    "piece",
    [
        "<caption>",
        "</caption>",
        "<answer></b>",
        "[",
        '{"a":',
        "{'a':",
        "```",
        "`",
        "<p>",
        "<p ",
        "</p>",
    ],
)
def test_many_wrappers_take_no_time(piece: str) -> None:
    shear(piece * 20_000, "hf", Shearing())
