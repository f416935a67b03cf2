"""What a captioner concludes from a server's answers and failures, without server and clock."""

from __future__ import annotations

import pytest

from engine.captioners.remote.client import RetryPolicy, ServerError
from engine.captioners.remote.server_health import PROBE_ID, ServerHealth

POLICY = RetryPolicy(outage_seconds=30.0, max_retry_after=20.0)
BROKE_OFF = ServerError("broke off")
UNREACHABLE = ServerError("nobody listens", may_be_record=False, unreachable=True)


@pytest.fixture
def health() -> ServerHealth:
    return ServerHealth(POLICY)


def fail(health: ServerHealth, record_id: int, now: float, error: ServerError = BROKE_OFF) -> None:
    health.on_failure(error, record_id, health.in_flight[record_id], now)
    health.on_end(record_id)


def test_a_good_answer_ends_a_failure(health: ServerHealth) -> None:
    health.on_sent(7, 1.0)
    fail(health, 7, 2.0)
    assert health.failing
    health.on_success(3.0)
    assert not health.failing
    assert health.lost_records() == set()


def test_records_that_were_with_the_server_are_lost(health: ServerHealth) -> None:
    for record_id in (1, 2, PROBE_ID):
        health.on_sent(record_id, 1.0)
    fail(health, 1, 2.0)
    health.on_sent(3, 3.0)  # sent after the server began to fail
    fail(health, 3, 4.0)
    assert health.lost_records() == {1, 2}


def test_records_of_an_earlier_failure_are_not_lost(health: ServerHealth) -> None:
    health.on_sent(1, 1.0)
    fail(health, 1, 2.0)
    health.on_success(3.0)
    health.on_sent(2, 4.0)
    fail(health, 2, 5.0)
    assert health.lost_records() == {2}


def test_an_unreachable_server_is_an_outage_if_it_had_records(health: ServerHealth) -> None:
    health.on_sent(1, 1.0)
    fail(health, 1, 2.0, UNREACHABLE)
    assert not health.is_outage(UNREACHABLE, 2.0)
    health.on_sent(2, 1.5)
    assert health.is_outage(UNREACHABLE, 2.0)
    assert not health.is_outage(BROKE_OFF, 2.0)


def test_too_long_without_a_good_answer_is_an_outage(health: ServerHealth) -> None:
    health.on_sent(1, 1.0)
    fail(health, 1, 2.0)
    assert not health.is_outage(BROKE_OFF, 32.0)
    assert health.is_outage(BROKE_OFF, 32.1)
    health.on_success(33.0)
    assert not health.is_outage(BROKE_OFF, 99.0)


def test_a_server_that_wants_to_be_left_alone(health: ServerHealth) -> None:
    health.on_sent(1, 1.0)
    fail(health, 1, 2.0, ServerError("slow down", retry_after=5.0))
    assert health.retry_at == 7.0
    assert not health.is_outage(ServerError("slow down", retry_after=20.0), 2.0)
    assert health.is_outage(ServerError("slow down", retry_after=20.1), 2.0)
