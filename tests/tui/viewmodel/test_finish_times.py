"""When models are done, on one basis for each and for all of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.viewmodel.finish_times import finish_times


@pytest.mark.parametrize(
    ("left", "rates", "times"),
    [
        ({1: 100}, {1: 10.0}, {1: 10.0}),
        # One device: the second model waits for it.
        ({1: 100, 2: 300}, {1: 10.0}, {1: 10.0, 2: 40.0}),
        # Two devices: the one that is done first helps the other.
        ({1: 100, 2: 300}, {1: 10.0, 2: 10.0}, {1: 10.0, 2: 20.0}),
        # Then the one with the most left is next.
        ({1: 100, 2: 50, 3: 200}, {1: 10.0}, {1: 10.0, 2: 35.0, 3: 30.0}),
        # A device whose model is just done works on another one.
        ({1: 0, 2: 100}, {1: 10.0}, {2: 10.0}),
        ({1: 100, 2: 100}, {}, {}),
        ({1: 0}, {1: 5.0}, {}),
        ({}, {}, {}),
    ],
)
def test_times(left: dict[int, int], rates: dict[int, float], times: dict[int, float]) -> None:
    assert finish_times(left, rates) == pytest.approx(times)


@given(
    st.dictionaries(st.integers(1, 6), st.integers(0, 10**9), max_size=6),
    st.dictionaries(st.integers(1, 6), st.floats(0, 10**4), max_size=6),
)
def test_the_last_model_is_done_when_all_are(left: dict[int, int], rates: dict[int, float]) -> None:
    rates = {model: rate for model, rate in rates.items() if model in left and rate > 1e-3}
    times = finish_times(left, rates)
    if rates and sum(left.values()):
        assert times.keys() == {model for model, count in left.items() if count}
        assert max(times.values()) == pytest.approx(sum(left.values()) / sum(rates.values()))
    else:
        assert times == {}
