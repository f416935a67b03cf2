"""When a worker counts as hung."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from engine.state.policy import Policy
from engine.supervisor.worker_state import WorkerState

POLICY = Policy()


def captioning(device: str) -> WorkerState:
    handle = SimpleNamespace(device=SimpleNamespace(id=device))
    return WorkerState(
        handle, "captioning", last_message_at=1e6, progressed_at=0.0, last_rows_at=0.0
    )


@pytest.mark.parametrize("device", ["cuda:0", "mps", "cpu:1", "node/gpu:0", "node/cpu:0"])
def test_a_cpu_is_given_more_time(device):
    worker = captioning(device)
    limit = POLICY.cpu_row_limit if "cpu" in device else POLICY.row_limit
    assert worker.hang_reason(limit - 1, POLICY) is None
    assert worker.hang_reason(limit + 1, POLICY) == f"no caption for {limit:.0f} s"


def test_a_server_is_not_slow_by_the_cpu_that_asks_it():
    worker = captioning("cpu:0")
    worker.remote = True
    assert worker.hang_reason(POLICY.row_limit + 1, POLICY)


def test_signs_of_progress_count_and_are_no_batches():
    worker = captioning("cuda:0")
    for now in (100.0, 200.0, 300.0):
        assert worker.hang_reason(now, POLICY) is None
        worker.progressed_at = now
    worker.count_rows(8, 310.0)
    assert list(worker.batch_seconds) == [310.0]
    # A batch that was measured gives the next ones as many times its own.
    limit = POLICY.row_limit_batches * 310.0
    assert worker.hang_reason(310.0 + limit - 1, POLICY) is None
    assert worker.hang_reason(310.0 + limit + 1, POLICY)


def test_long_batches_give_no_more_time_to_a_worker_that_reports_every_layer():
    worker = captioning("cpu:0")
    worker.count_rows(8, 900.0)
    worker.reports_layers = True
    assert worker.hang_reason(900.0 + POLICY.cpu_row_limit - 1, POLICY) is None
    assert worker.hang_reason(900.0 + POLICY.cpu_row_limit + 1, POLICY)
