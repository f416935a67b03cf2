"""Gumbel sampling: draws follow the softmax and depend on model, seed, record id, step, token."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.captioners.generation.gumbel import REACH, GumbelSampler, keep_top_p, noise

LOGITS = torch.tensor([0.0, 1.0, 2.0, 3.0, 0.0, -1.0, 0.5, 2.0])


def draw(
    record_ids: list[int] | range,
    step: int = 0,
    seed: int = 0,
    temperature: float = 1.0,
    top_p: float | None = None,
    model: str = "llava-1.5",
) -> torch.Tensor:
    """Return the token that is drawn for each record."""
    sampler: Any = GumbelSampler(
        record_ids, seed, temperature, top_p, 0, torch.device("cpu"), model
    )
    ids = torch.zeros(len(record_ids), step, dtype=torch.long)
    return sampler(ids, LOGITS.repeat(len(record_ids), 1)).argmax(-1)


def shares(drawn: torch.Tensor) -> torch.Tensor:
    """Return the fraction of draws of each token."""
    return torch.bincount(drawn, minlength=len(LOGITS)) / len(drawn)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_records_are_drawn_from_the_softmax(temperature: float) -> None:
    drawn = draw(range(20_000), temperature=temperature)
    assert torch.allclose(shares(drawn), torch.softmax(LOGITS / temperature, -1), atol=0.015)


def test_steps_of_one_record_are_drawn_from_the_softmax() -> None:
    drawn = torch.cat([draw([5], step) for step in range(8_000)])
    assert torch.allclose(shares(drawn), torch.softmax(LOGITS, -1), atol=0.02)


def test_a_draw_depends_on_seed_record_and_step_and_not_on_the_batch() -> None:
    together = draw(range(300), step=3)
    alone = torch.cat([draw([record], step=3) for record in range(300)])
    assert torch.equal(together, alone)
    assert not torch.equal(together, draw(range(300), step=4))
    assert not torch.equal(together, draw(range(300), step=3, seed=1))
    assert not torch.equal(together, draw(range(300), step=3, model="otter"))


def test_draws_are_the_same_in_every_process() -> None:
    """These tokens must never change: every project that samples would get other captions."""
    assert draw(range(12), step=2, seed=5).tolist() == [2, 7, 3, 7, 7, 3, 2, 2, 3, 2, 7, 3]


def test_top_p_keeps_the_fewest_that_reach_it() -> None:
    drawn = draw(range(5_000), top_p=0.8)
    assert set(drawn.tolist()) == {2, 3, 7}


def test_no_noise_is_infinite() -> None:
    wide = torch.zeros(200_000)
    sampler: Any = GumbelSampler([1, 2], 0, 1.0, None, 0, torch.device("cpu"), "otter")
    assert torch.isfinite(sampler(torch.zeros(2, 0, dtype=torch.long), wide.repeat(2, 1))).all()


@given(
    st.integers(0, 2**32),
    st.sampled_from([5, 64, 65, 300, 4000]),
    st.sampled_from([0.2, 1.0, 5.0]),
    st.sampled_from([None, 0.1, 0.5, 0.9, 0.99]),
)
def test_the_likely_tokens_are_drawn_as_from_the_whole_vocabulary(
    seed: int, vocab_size: int, spread: float, top_p: float | None
) -> None:
    """The rows differ: some can draw a few tokens, others nearly all of them."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(6, vocab_size, generator=generator)
    logits *= spread * torch.tensor([0.1, 1.0, 3.0, 10.0, 30.0, 100.0])[:, None]
    record_ids = range(seed % 1000, seed % 1000 + 6)
    sampler: Any = GumbelSampler(record_ids, seed, 0.7, top_p, 0, torch.device("cpu"), "otter")
    scaled = logits / 0.7
    kept = scaled if top_p is None else keep_top_p(scaled, top_p)
    expected = kept + noise(sampler.keys, 4, torch.arange(vocab_size)[None])
    assert torch.equal(sampler.add_noise(logits, 4).argmax(-1), expected.argmax(-1))


def test_no_noise_goes_beyond_its_reach() -> None:
    drawn = noise(torch.arange(2000), 0, torch.arange(500)[None])
    least, most = (-math.log(-math.log(it)) for it in (2.0**-24, 1 - 2.0**-24))
    assert least - 1e-4 <= drawn.min() < drawn.max() <= most + 1e-4
    assert most - least < REACH


@given(
    st.lists(st.floats(-20, 20, width=32), min_size=2, max_size=90),
    st.sampled_from([0.1, 0.5, 0.9, 0.99]),
)
def test_a_nucleus_is_the_fewest_that_reach_it(row: list[float], top_p: float) -> None:
    logits = torch.tensor([row])
    shares = torch.softmax(logits.double(), -1)[0]
    kept = torch.isfinite(keep_top_p(logits, top_p))[0]
    inside, outside = shares[kept], shares[~kept]
    assert inside.sum() >= top_p - 1e-5
    assert inside.sum() - inside.min() < top_p + 1e-5
    assert not len(outside) or inside.min() >= outside.max() - 1e-9
