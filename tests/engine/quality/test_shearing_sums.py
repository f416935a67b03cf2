"""What shearing cuts, counted."""

from __future__ import annotations

import msgspec
import pytest

from engine.quality.batch_finder import Caption
from engine.quality.defects import DefectFinder
from engine.quality.shard_health import ShardHealth
from engine.quality.shearing_sums import ShearingSums, count_sentences
from engine.quality.vocabulary import Vocabulary
from engine.shearing.shear import Shearing, make_shearer


@pytest.mark.parametrize(
    ("raw", "changes"),
    [
        ("A dog runs.", {"words": 3}),
        ("A dog runs. It barks. Loud!", {"words": 6, "words_cut": 3, "sentences_cut": 2}),
        (
            "Sure! Here is a caption: A dog runs.",
            {"words": 8, "words_cut": 5, "sentences_cut": 1, "lead_ins_cut": 1},
        ),
        ("1. A dog runs", {"words": 4, "words_cut": 1, "sentences_cut": 1, "lead_ins_cut": 1}),
        ("Sure!", {"words": 1, "words_cut": 1, "sentences_cut": 1, "lead_ins_cut": 1}),
        (
            "<think>Hm. A dog.</think> A dog runs.",
            {"words": 6, "words_cut": 3, "sentences_cut": 1, "reasoning_cut": 1},
        ),
        ("<think>A dog", {"words": 2, "words_cut": 2, "sentences_cut": 1, "reasoning_cut": 1}),
        ("", {}),
    ],
)
def test_what_is_cut_of_a_caption(raw: str, changes: dict[str, int]) -> None:
    health = ShardHealth.of_nothing(1, sampled=False)
    sheared = make_shearer("hf", Shearing("sentence"))(raw, "stop")
    health.add_captions(DefectFinder("en"), [Caption(0, raw, "stop", sheared)], Vocabulary())
    expected = msgspec.structs.asdict(ShearingSums()) | changes
    expected["captions_cut"] = int("words_cut" in changes)
    assert msgspec.structs.asdict(health.shearing) == expected


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("", 0),
        ("  ", 0),
        ("A dog", 1),
        ("A dog.", 1),
        ("A dog. A cat!", 2),
        ("A dog.\nA cat? Yes. ", 3),
        ("3.5 dogs", 1),
        ("狗。猫！", 2),  # noqa: RUF001
        ("狗。猫", 2),
    ],
)
def test_sentences_are_counted_by_their_marks(text: str, sentences: int) -> None:
    assert count_sentences(text) == sentences


def test_sums_add_up() -> None:
    total = ShearingSums(1, 2, 3, 4, 5, 6, 7)
    total.add_sums(ShearingSums(1, 1, 1, 1, 1, 1, 1))
    assert total == ShearingSums(2, 3, 4, 5, 6, 7, 8)
