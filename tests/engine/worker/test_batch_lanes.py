"""Batches that are captioned side by side, each in a lane of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from engine.worker.batch_lanes import Lanes
from engine.worker.inflight import InflightRecords
from tests.engine.worker.fakes import SIZE, GatedCaptioner, WakeCounter

INFLIGHT = InflightRecords(task=1, attempt=1, first_record_id=0)


@pytest.fixture
def woken() -> WakeCounter:
    return WakeCounter()


@pytest.fixture
def captioner() -> Iterator[GatedCaptioner]:
    gated = GatedCaptioner()
    yield gated
    gated.open_all()


@pytest.fixture
def lanes(captioner: GatedCaptioner, woken: WakeCounter) -> Iterator[Lanes]:
    lanes = Lanes(captioner, 2, woken, "cpu")
    yield lanes
    captioner.open_all()
    lanes.close()


def inputs(first: int, count: int = SIZE) -> list[tuple[int, Any]]:
    """Return (index, prepared input) of so many records."""
    return [(i, f"image {i}") for i in range(first, first + count)]


def warm_up(lanes: Lanes, captioner: GatedCaptioner, woken: WakeCounter) -> None:
    """Caption the first batch, which runs alone."""
    lanes.start(INFLIGHT, inputs(0), SIZE)
    captioner.open_gate(0)
    woken.wait()
    assert len(list(lanes.pop_finished())) == 1


def test_the_first_batch_goes_alone_and_others_side_by_side(
    lanes: Lanes, captioner: GatedCaptioner, woken: WakeCounter
) -> None:
    lanes.start(INFLIGHT, inputs(0), SIZE)
    assert lanes.free_lanes == 0
    captioner.open_gate(0)
    woken.wait()
    assert [batch.ready[0][0] for batch in lanes.pop_finished()] == [0]
    assert lanes.free_lanes == 2
    lanes.start(INFLIGHT, inputs(4), SIZE)
    lanes.start(INFLIGHT, inputs(8), SIZE)
    assert lanes.free_lanes == 0
    captioner.open_gate(1)
    captioner.open_gate(2)
    woken.wait()
    woken.wait()
    assert sorted(batch.ready[0][0] for batch in lanes.pop_finished()) == [4, 8]


def test_the_later_one_may_end_first(
    lanes: Lanes, captioner: GatedCaptioner, woken: WakeCounter
) -> None:
    warm_up(lanes, captioner, woken)
    lanes.start(INFLIGHT, inputs(4), SIZE)
    while len(captioner.gates) < 2:
        threading.Event().wait(0.001)
    lanes.start(INFLIGHT, inputs(8), SIZE)
    captioner.open_gate(2)
    woken.wait()
    (batch,) = lanes.pop_finished()
    assert [caption.raw for caption in batch.answers.result()] == [
        f"image {i}" for i in range(8, 12)
    ]
    assert lanes.free_lanes == 1


def test_narrowed_it_waits_for_what_runs_and_goes_on_with_one(
    lanes: Lanes, captioner: GatedCaptioner, woken: WakeCounter
) -> None:
    warm_up(lanes, captioner, woken)
    lanes.start(INFLIGHT, inputs(4), SIZE)
    lanes.start(INFLIGHT, inputs(8), SIZE)
    threading.Timer(0.05, captioner.open_all).start()
    lanes.use_single_lane()
    assert all(batch.answers.done() for batch in lanes.running)
    woken.wait()
    woken.wait()
    assert len(list(lanes.pop_finished())) == 2
    assert lanes.free_lanes == 1
