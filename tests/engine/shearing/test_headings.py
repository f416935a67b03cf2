"""Reasoning in plain text: what stands behind the heading or the label of the answer."""

# ruff: noqa: RUF001 (signs that models write)
from __future__ import annotations

import pytest

from engine.captioners.answer_text import why_no_caption
from engine.shearing.headings import behind_reasoning, opens_with_reasoning
from engine.shearing.reasoning import answer_of, has_reasoning
from engine.shearing.sentences import first_sentence_complete
from engine.shearing.shear import Shearing, shear

ANSWERS = (
    ("Reasoning: two humps. So a camel.\nCaption: A camel kneels", "A camel kneels"),
    ("**Thought process**\n\nIt is red. It is big.\n\n**Answer**\n\nA red barn", "A red barn"),
    ("**Analysis:**\nIt is red.\n\n**Response:** A red barn", "A red barn"),
    ("# Observations\n- a cow\n- a fence\n# Caption\nA cow behind a fence", "A cow behind a fence"),
    ("### Examining the main visual details\nHm.\n### Description\nA map", "A map"),
    ("Thoughts: a bird.\nCaption: too long.\n\nFinal caption: A wren sings", "A wren sings"),
    ("I see a fork. I see a knife.\nFinal Answer: A fork and a knife", "A fork and a knife"),
    ("1. There is hay.\n2. There is a horse.\n\n## Final response\nA horse eats", "A horse eats"),
    ("It has four wheels. Final answer: \\boxed{\\text{A cart}}", "A cart"),
    ("Thinking...\nIs it a goose? Yes.\n...done thinking.\n\nA goose honks", "A goose honks"),
    ("Thinking... A goose? It has a long neck. ...done thinking.\nA goose honks", "A goose honks"),
    ("Thought for a couple of seconds\n\nA tall chimney", "A tall chimney"),
    ("[Thinking]It is blue. Or green?[/Thinking] A blue gate", "A blue gate"),
    ("思考：图中有一只猫。\n答案：A cat naps", "A cat naps"),
    ("Thought: a bird.\nCaption:", ""),
)
PLAIN = (
    "Analysis: a textbook lies open on a desk",
    "Thought for the day written on a board",
    "A poster reads:\nFinal sale",
    "Thinking... of you\nA card with a heart",
    "The final answer is written on a board",
    "A woman at a desk.\nCaption: unknown",
    "Observations of birds\nA notebook by a pond",
    "Thinking man, a statue by Rodin\nin a park",
    "A man [thinking] on a bench",
    "The original answer: a map with notes",
)


@pytest.mark.parametrize(("raw", "answer"), ANSWERS)
@pytest.mark.parametrize("mode", ["paper", "sentence"])
def test_what_follows_on_the_label_of_the_answer_is_kept(mode: str, raw: str, answer: str) -> None:
    shearing = Shearing(mode)  # type: ignore[arg-type]
    assert answer_of(raw) == answer
    assert shear(raw, "hf", shearing).text == answer
    assert has_reasoning(raw)
    assert (why_no_caption(raw) is None) == (answer != "")


@pytest.mark.parametrize("raw", PLAIN)
def test_a_caption_with_such_words_is_kept(raw: str) -> None:
    assert answer_of(raw) is raw
    assert not has_reasoning(raw)


def test_a_tag_behind_a_caption_opens_no_reasoning() -> None:
    assert why_no_caption("A lamp on a table.\n\n<think>") is None
    assert why_no_caption("A lamp on a table.\n\n<think>Is it") is not None
    assert why_no_caption("<think>") is not None
    assert shear("A lamp on a table.\n\n<think>", "hf", Shearing("sentence")).text == (
        "A lamp on a table."
    )


def test_generation_goes_on_until_the_answer_is_there() -> None:
    raw = "Reasoning: two humps. So it is a camel.\nCaption: A camel kneels. It is brown. Yes"
    complete = [raw[:end] for end in range(len(raw) + 1) if first_sentence_complete(raw[:end])]
    assert complete[0].endswith("A camel kneels. It i")
    assert opens_with_reasoning("**Analysis**\n\nIt is red. It is")
    assert not opens_with_reasoning("A barn. It is red. It is")


@pytest.mark.parametrize(
    "piece", ["\n", "Thought:\n", "final answer:", ". final ", "# ", "\n#", " "]
)
def test_many_labels_take_no_time(piece: str) -> None:
    behind_reasoning(piece * 50_000)
    behind_reasoning("Thought: " + piece * 50_000)
