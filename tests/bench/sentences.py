"""Sentence splitting: the share of hard cases that come out right, and texts a second.

The baseline is the first segment of sentencex alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import sentencex

from engine.shearing.sentences import first_sentence, split_first_sentence
from tests.bench.bench_data import sentences
from tests.bench.report import report

HARD_CASES = Path(__file__).parents[1] / "engine/shearing/sentences.txt"
TEXTS = 100_000
"""Number of plain captions."""


def main(cases: list[str]) -> None:
    hard = hard_cases()
    right = sum(split_first_sentence(text) == first for first, text in hard) / len(hard)
    base = sum(first_segment(text) == first for first, text in hard) / len(hard)
    report("sentences", f"right of {len(hard)} hard cases", right, "share", base)
    firsts, tails = sentences(TEXTS, 11, 1), sentences(TEXTS, 7, 2)
    plain = [f"{first}. {tail}" for first, tail in zip(firsts, tails, strict=True)]
    mixed = [text for _, text in hard]
    for case, texts in ("plain captions", plain), ("hard cases", mixed):
        ours = rate(lambda text: first_sentence(text, "length", None), texts)
        report("sentences", case, ours, "texts/s", rate(first_segment, texts))


def hard_cases() -> list[tuple[str, str]]:
    """Return the pairs (first sentence, whole text) of the file of hard cases."""
    pairs = []
    for line in HARD_CASES.read_text().splitlines():
        first, _, rest = line.partition(" || ")
        pairs.append((first.strip(), f"{first} {rest}".strip()))
    return pairs


def first_segment(text: str) -> str:
    """Return the first sentence by sentencex."""
    return "".join(islice(sentencex.segment("en", text), 1)).rstrip()


def rate(function: Callable[[str], object], texts: list[str]) -> float:
    """Return how many texts a CPU second the function works off."""
    began = time.process_time()
    for text in texts:
        function(text)
    return len(texts) / (time.process_time() - began)
