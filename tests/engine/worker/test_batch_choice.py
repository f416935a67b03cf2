"""Which records share a batch: those whose prompts are about equally long."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from engine.worker.batch_choice import choose_batch

LENGTHS = st.lists(st.integers(1, 16_000), min_size=1, max_size=40)


@given(LENGTHS, st.integers(1, 50))
def test_a_batch_has_the_oldest_record_and_fits(lengths: list[int], size: int) -> None:
    batch = choose_batch(lengths, size)
    assert batch == sorted(set(batch))
    assert batch[0] == 0
    assert len(batch) <= size
    padded = len(batch) * max(lengths[it] for it in batch)
    assert len(batch) == 1 or padded * len(lengths) <= size * sum(lengths)


@given(st.integers(1, 30), st.integers(1, 50), st.integers(1, 5000))
def test_equally_long_prompts_come_in_their_order(count: int, size: int, length: int) -> None:
    assert choose_batch([length] * count, size) == list(range(min(count, size)))


def test_no_record_is_ready() -> None:
    assert choose_batch([], 4) == []


def test_little_of_the_batches_of_mixed_pictures_is_padding() -> None:
    """In their order, 16 of such pictures have 3.8 times as many tokens with their padding."""
    dice = random.Random(0)
    waiting = [dice.choice([277, 310, 324, 360, 421, 894, 1399, 3607]) for _ in range(800)]
    tokens, padded = sum(waiting), 0
    while waiting:
        batch = choose_batch(waiting[:32], 16)
        padded += len(batch) * max(waiting[it] for it in batch)
        waiting = [it for number, it in enumerate(waiting) if number not in batch]
    assert padded < 1.4 * tokens
