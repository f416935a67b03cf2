"""Captions that two people wrote and labelled who had seen neither the detectors nor their tests.

They imitate what released models write, with many good captions that look like bad ones. What was
missed and what was wrong has been looked at since, and the detectors were changed: the figures of
today are better than those of the first run, which docs/quality.md tells.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.quality.defects import DEFECT_NAMES, DefectFinder
from engine.quality.words import words_of
from engine.shearing.shear import make_shearer
from tests.support.detector_trial import FAMILY, SHEARING, Score, score

FOLDER = Path(__file__).parents[1] / "engine/quality/labelled_captions"
KINDS = (
    *("loops", "empty", "truncated", "refusals", "leaks", "reasoning", "lead_ins", "other_script"),
)
"""The labels; a good caption has none."""


@dataclass(frozen=True, slots=True)
class LabelledTrial:
    """What is found in the labelled captions."""

    scores: dict[str, Score]
    """By the name of the defect."""
    good: int
    good_called_bad: list[str]
    bad: int
    bad_called_good: list[str]


def labelled() -> Iterator[tuple[str, set[str]]]:
    """Yield each raw caption with its labels."""
    for file in sorted(FOLDER.glob("*.jsonl")):
        for line in file.read_text().splitlines():
            row = json.loads(line)
            yield row["text"], set(row["labels"])


def try_labelled() -> LabelledTrial:
    """Look for all defects in the labelled captions, as they are imported: no cap ended them."""
    shear = make_shearer(FAMILY, SHEARING)
    finder = DefectFinder("en")
    texts, truths = zip(*labelled(), strict=True)
    found = []
    for raw in texts:
        sheared = shear(raw, "stop")
        words = words_of(sheared)
        bits = finder.find(raw, "stop", sheared, words, frozenset(words))
        found.append({name for name, bit in DEFECT_NAMES.items() if bits & bit and name in KINDS})
    pairs = list(zip(texts, truths, found, strict=True))
    return LabelledTrial(
        scores={name: score(name, list(truths), found) for name in KINDS},
        good=sum(not truth for truth in truths),
        good_called_bad=[raw for raw, truth, some in pairs if some and not truth],
        bad=sum(bool(truth) for truth in truths),
        bad_called_good=[raw for raw, truth, some in pairs if truth and not some],
    )
