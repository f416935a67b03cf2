"""The automatic batch size: on made-up clocks of made-up devices, and in a real run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db import supervisor_writes as queries
from db.connection import reading
from engine.project.opening import open_project
from engine.worker.batch_tuner import MAX_BATCH, MAX_SECONDS, TIMED_BATCHES, BatchTuner
from tests.support.cli import cli_ok
from tests.support.pictures import make_captions


def settle(first: int, seconds: Callable[[int], float]) -> tuple[int, list[int]]:
    """Return the settled size and the sizes tried, if a batch of a size takes `seconds(size)`."""
    tuner, tried, now = BatchTuner(first), [first], 0.0
    for _ in range(100):
        if tuner.settled:
            return tuner.size, tried
        now += seconds(tuner.size)
        tuner.on_batch_end(tuner.size, tuner.size, now)
        if tuner.size != tried[-1]:
            tried.append(tuner.size)
    raise AssertionError("never settled")


def test_it_grows_while_a_fixed_cost_is_spread() -> None:
    assert settle(48, lambda size: 0.2 + 0.01 * size)[0] == 192


def test_it_stays_where_time_grows_with_the_size() -> None:
    assert settle(48, lambda size: 0.01 * size) == (48, [48, 96, 48])


def test_it_does_not_grow_where_batches_are_slow() -> None:
    assert settle(32, lambda size: MAX_SECONDS) == (32, [32])


@given(st.integers(1, 4 * MAX_BATCH), st.floats(0, 2), st.floats(1e-6, 1))
def test_it_always_settles_on_what_was_tried(first: int, fixed: float, each: float) -> None:
    chosen, tried = settle(first, lambda size: fixed + each * size)
    assert chosen in tried
    assert max(tried) <= max(first, MAX_BATCH)


def test_batches_cut_short_do_not_count() -> None:
    tuner = BatchTuner(32)
    for end in range(10):
        assert tuner.on_batch_end(20, 20, end) is None
    assert tuner.size == 32


def test_two_that_always_end_together_are_as_fast_as_two_by_turns() -> None:
    together, by_turns = BatchTuner(32), BatchTuner(32)
    for end in range(TIMED_BATCHES + 1):
        together.on_batch_end(32, 32, end // 2 * 2)
        by_turns.on_batch_end(32, 32, end)
    assert together.rate == by_turns.rate == 32


def test_a_pause_between_shards_does_not_count() -> None:
    tuner = BatchTuner(32)
    for end in range(TIMED_BATCHES):
        tuner.on_batch_end(32, 32, end)
    tuner.resume(1000.0)
    tuner.on_batch_end(32, 32, 1001.0)
    assert tuner.rate == 32


@pytest.mark.parametrize("batch", ["auto", "2"])
def test_a_run_tunes_and_remembers_its_batch_size(tmp_path: Path, batch: str) -> None:
    captions = make_captions(tmp_path / "data", 60)
    project = tmp_path / "run"
    cli_ok("new", project, captions, "--model", "dry-run", "--set", "dry-run.batch=2")
    if batch == "auto":
        cli_ok("set", project, "dry-run", "batch=auto")
    cli_ok("run", project, "--devices", "cpu")
    with reading(open_project(project).database) as connection:
        sizes = queries.batch_sizes(connection)
    assert bool(sizes) == (batch == "auto")
    assert all(device.startswith("cpu") and size >= 2 for (device, _), size in sizes.items())
