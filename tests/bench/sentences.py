"""Sentence splitting: how many of the hard cases are right, and texts a second.

The baseline is sentencex alone: the first of its segments.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import sentencex

from engine.shearing.sentences import cut, first_sentence
from tests.bench.made import sentences
from tests.bench.report import report

CASES = Path(__file__).parents[1] / "engine/shearing/sentences.txt"
TEXTS = 100_000


def main(cases: list[str]) -> None:
    hard = hard_cases()
    right = sum(cut(text) == first for first, text in hard) / len(hard)
    base = sum(alone(text) == first for first, text in hard) / len(hard)
    report("sentences", f"right of {len(hard)} hard cases", right, "share", base)
    kept, tails = sentences(TEXTS, 11, 1), sentences(TEXTS, 7, 2)
    plain = [f"{first}. {tail}" for first, tail in zip(kept, tails, strict=True)]
    mixed = [text for _, text in hard]
    for case, texts in ("plain captions", plain), ("hard cases", mixed):
        ours = rate(lambda text: first_sentence(text, "length", None), texts)
        report("sentences", case, ours, "texts/s", rate(alone, texts))


def hard_cases() -> list[tuple[str, str]]:
    """(first sentence, whole text)."""
    found = []
    for line in CASES.read_text().splitlines():
        first, _, rest = line.partition(" || ")
        found.append((first.strip(), f"{first} {rest}".strip()))
    return found


def alone(text: str) -> str:
    return "".join(islice(sentencex.segment("en", text), 1)).rstrip()


def rate(work: Callable[[str], object], texts: list[str]) -> float:
    """Texts a CPU second."""
    began = time.process_time()
    for text in texts:
        work(text)
    return len(texts) / (time.process_time() - began)
