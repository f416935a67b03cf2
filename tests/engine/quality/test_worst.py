"""Which captions are the worst, and in what order."""

from __future__ import annotations

import numpy as np
import pytest

from engine.quality.defects import Defect
from engine.quality.facts import FactSums
from engine.quality.model_health import SAME_AS_OTHER, ModelHealth, ShardFigures
from engine.quality.shard_health import (
    COUNTED,
    CUT_WITHIN_SENTENCE,
    NO_LEAD_IN_LEFT,
    NO_LEAK_LEFT,
)
from engine.quality.shearing_sums import ShearingSums
from engine.quality.worst import worst_of


def shard(flags: list[int], hashes: list[int], sample: list[str] | None = None) -> ShardFigures:
    lengths = np.zeros(1, int)
    return ShardFigures(
        captions=len(flags),
        health={},
        facts=FactSums(),
        hashes=np.array(hashes, np.uint64),
        sample=sample,
        flags=np.array([COUNTED | each for each in flags], np.uint16),
        raw_lengths=lengths,
        shearing=ShearingSums(),
        sheared_lengths=lengths,
    )


LOOP, LEAK = Defect.LOOP.value, Defect.LEAK.value
MODEL = ModelHealth(
    "otter",
    [
        shard([LOOP, 0, LOOP | LEAK], [5, 6, 5]),
        shard([SAME_AS_OTHER, LOOP, 0, 0], [6, 0, 6, 7]),
    ],
)


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("loops", [(0, 2), (0, 0), (1, 1)]),
        ("leaks", [(0, 2)]),
        ("same_as_other", [(1, 0)]),
        ("refusals", []),
        ("duplicates", [(1, 0), (1, 2), (0, 2)]),
    ],
)
def test_the_worst_captions(name: str, places: list[tuple[int, int]]) -> None:
    assert worst_of(MODEL, name, 9) == places
    assert worst_of(MODEL, name, 1) == places[:1]


def test_near_duplicates() -> None:
    words = "a brown dog runs along a wide sandy beach near the sea"
    sample = [words, f"{words} today", "", "two cats"]
    model = ModelHealth("otter", [shard([0] * 4, [1, 2, 0, 3], sample)])
    assert worst_of(model, "near_duplicates", 9) == [(0, 1)]


def test_of_no_shards_there_are_none() -> None:
    for name in ("loops", "duplicates", "near_duplicates"):
        assert worst_of(ModelHealth("otter"), name, 9) == []


def test_what_shearing_mends_makes_no_caption_defective() -> None:
    mended = Defect.TRUNCATED.value | Defect.REASONING.value | Defect.BEYOND_CLIP.value
    model = ModelHealth("otter", [shard([mended, LOOP, 0], [1, 2, 2]), shard([0, LEAK], [2, 0])])
    assert model.defective() == [2, 2], "a loop and a duplicate, then a duplicate and a leak"
    assert ModelHealth("otter").defective() == []
    model = ModelHealth("otter", [shard([CUT_WITHIN_SENTENCE, 0, mended], [1, 2, 3])])
    assert model.defective() == [1], "what shearing cut within a sentence is no caption"
    cut = LEAK | Defect.REASONING.value | NO_LEAK_LEFT
    left = LEAK | Defect.REASONING.value
    model = ModelHealth("otter", [shard([cut, cut | LOOP, left], [1, 2, 3])])
    assert model.defective() == [2]
    assert model.left() == {"leaks": 1, "lead_ins": 0}
    lead_in = Defect.LEAD_IN.value
    model = ModelHealth("otter", [shard([lead_in, lead_in | NO_LEAD_IN_LEFT, LEAK], [1, 2, 3])])
    assert model.left() == {"leaks": 1, "lead_ins": 1}
    empty = Defect.EMPTY.value
    model = ModelHealth("otter", [shard([LEAK | empty, lead_in | empty, LEAK], [0, 0, 3])])
    assert model.left() == {"leaks": 1, "lead_ins": 0}
