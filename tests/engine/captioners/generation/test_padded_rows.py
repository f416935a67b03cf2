"""The tensors of batches whose prompts are not equally long."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.captioners.generation.padded_rows import attention_window, rounded_length
from engine.captioners.generation.static_decoders import DecodeStatePool


@given(st.integers(1, 100_000))
def test_a_length_is_rounded_up_by_an_eighth_at_most(tokens: int) -> None:
    length = rounded_length(tokens)
    assert tokens <= length <= tokens * 9 / 8 + 1
    assert rounded_length(length) == length


def test_there_are_few_lengths() -> None:
    assert len({rounded_length(tokens) for tokens in range(1025, 4097)}) == 16


def test_tensors_that_are_somewhat_longer_serve_again() -> None:
    def make(rows: int, length: int) -> SimpleNamespace:
        return SimpleNamespace(rows=SimpleNamespace(capacity=rows, active=rows), length=length)

    pool: DecodeStatePool = DecodeStatePool(make)  # type: ignore[type-arg]
    with pool.acquire(4, 120) as first:
        pass
    with pool.acquire(3, 100, 150) as second:
        assert second is first
        assert second.rows.active == 3
    for rows, length, longest in [(4, 130, 200), (4, 60, 90), (9, 60, 90)]:
        with pool.acquire(rows, length, longest) as other:
            assert (other.rows.capacity, other.length) == (rows, length)


@pytest.mark.parametrize(
    ("config", "window"),
    [
        ({}, None),
        ({"sliding_window": None, "layer_types": ["full_attention"] * 2}, None),
        ({"sliding_window": 4096}, 4096),
        ({"sliding_window": 512, "layer_types": ["full_attention", "sliding_attention"]}, 512),
        ({"sliding_window": 512, "layer_types": ["full_attention"]}, None),
    ],
)
def test_the_window_is_that_of_the_layers_that_have_one(
    config: dict[str, object], window: int | None
) -> None:
    assert attention_window(SimpleNamespace(**config)) == window
