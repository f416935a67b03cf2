from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.captioners.sampling import GumbelSampler, keep_top_p

LOGITS = torch.tensor([0.0, 1.0, 2.0, 3.0, 0.0, -1.0, 0.5, 2.0])


def draw(records, step=0, seed=0, temperature=1.0, top_p=None, model="llava-1.5"):
    sampler = GumbelSampler(records, seed, temperature, top_p, 0, torch.device("cpu"), model)
    ids = torch.zeros(len(records), step, dtype=torch.long)
    return sampler(ids, LOGITS.repeat(len(records), 1)).argmax(-1)


def shares(drawn: torch.Tensor) -> torch.Tensor:
    return torch.bincount(drawn, minlength=len(LOGITS)) / len(drawn)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_records_are_drawn_from_the_softmax(temperature):
    drawn = draw(range(20_000), temperature=temperature)
    assert torch.allclose(shares(drawn), torch.softmax(LOGITS / temperature, -1), atol=0.015)


def test_steps_of_one_record_are_drawn_from_the_softmax():
    drawn = torch.cat([draw([5], step) for step in range(8_000)])
    assert torch.allclose(shares(drawn), torch.softmax(LOGITS, -1), atol=0.02)


def test_a_draw_depends_on_seed_record_and_step_and_not_on_the_batch():
    together = draw(range(300), step=3)
    alone = torch.cat([draw([record], step=3) for record in range(300)])
    assert torch.equal(together, alone)
    assert not torch.equal(together, draw(range(300), step=4))
    assert not torch.equal(together, draw(range(300), step=3, seed=1))
    assert not torch.equal(together, draw(range(300), step=3, model="otter"))


def test_draws_are_the_same_in_every_process():
    """Frozen: a change here changes the captions of every project that samples."""
    assert draw(range(12), step=2, seed=5).tolist() == [2, 7, 3, 7, 7, 3, 2, 2, 3, 2, 7, 3]


def test_top_p_keeps_the_fewest_that_reach_it():
    drawn = draw(range(5_000), top_p=0.8)
    assert set(drawn.tolist()) == {2, 3, 7}


def test_no_noise_is_infinite():
    wide = torch.zeros(200_000)
    sampler = GumbelSampler([1, 2], 0, 1.0, None, 0, torch.device("cpu"), "otter")
    assert torch.isfinite(sampler(torch.zeros(2, 0, dtype=torch.long), wide.repeat(2, 1))).all()


@given(
    st.lists(
        st.lists(st.floats(-20, 20, width=32), min_size=90, max_size=90), min_size=1, max_size=4
    ),
    st.sampled_from([0.1, 0.5, 0.9, 0.99]),
    st.sampled_from([0.1, 1.0, 30.0]),
)
def test_a_nucleus_is_that_of_the_whole_vocabulary_sorted(rows, top_p, temperature):
    """A high temperature makes it wider than the tokens that are looked at first."""
    logits = torch.tensor(rows) / temperature
    shares = torch.softmax(logits.double(), -1)
    for row, kept in zip(shares, torch.isfinite(keep_top_p(logits, top_p)), strict=True):
        inside, outside = row[kept], row[~kept]
        assert inside.sum() >= top_p - 1e-5
        assert inside.sum() - inside.min() < top_p + 1e-5
        assert not len(outside) or inside.min() >= outside.max() - 1e-9
