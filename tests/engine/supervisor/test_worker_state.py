"""The state of one worker: when it counts as hung, and who may set its fields."""

from __future__ import annotations

import ast
from dataclasses import fields
from pathlib import Path

import pytest

import engine.supervisor
from db.rows import DeviceRow
from engine.protocol.messages import Failed, Stuck
from engine.state.policy import Policy
from engine.supervisor.worker_state import EndCause, WorkerState
from tests.support.run_in_memory import FakeHandle

POLICY = Policy()
PACKAGE = Path(engine.supervisor.__file__).parent


def captioning(device: str, remote: bool = False) -> WorkerState:
    """Return a worker that captions since 0 s and gave a sign of life a moment ago, ever."""
    worker = WorkerState(handle=FakeHandle(DeviceRow(id=device)), started_at=0.0)
    worker.begin_load(1, remote, 0.0)
    worker.on_loaded(8, 0.0)
    worker.state = "captioning"
    worker.on_message(1e6)
    return worker


@pytest.mark.parametrize("device", ["cuda:0", "mps", "cpu:1", "node/gpu:0", "node/cpu:0"])
def test_a_cpu_is_given_more_time(device: str) -> None:
    worker = captioning(device)
    limit = POLICY.cpu_row_limit if "cpu" in device else POLICY.row_limit
    assert worker.hang_reason(limit - 1, POLICY) is None
    assert worker.hang_reason(limit + 1, POLICY) == f"no caption for {limit:.0f} s"


def test_a_server_is_not_slow_by_the_cpu_that_asks_it() -> None:
    worker = captioning("cpu:0", remote=True)
    assert worker.hang_reason(POLICY.row_limit + 1, POLICY)


def test_signs_of_progress_count_and_are_no_batches() -> None:
    worker = captioning("cuda:0")
    for now in (100.0, 200.0, 300.0):
        assert worker.hang_reason(now, POLICY) is None
        worker.on_progress(now)
    worker.on_rows(8, 310.0)
    assert list(worker.batch_seconds) == [310.0]
    # A batch that was measured gives the next ones as many times its own.
    limit = POLICY.row_limit_batches * 310.0
    assert worker.hang_reason(310.0 + limit - 1, POLICY) is None
    assert worker.hang_reason(310.0 + limit + 1, POLICY)


def test_how_long_the_model_waited_for_images() -> None:
    worker = captioning("cuda:0")
    worker.on_rows(8, 10.0, waited=5.0)
    assert worker.image_wait(10.0) == 0.0, "it is not known of what time that is a part"
    worker.on_rows(8, 12.0, waited=0.5)
    worker.on_rows(8, 14.0, waited=1.5)
    assert (worker.rate(14.0), worker.image_wait(14.0)) == (4.0, 0.5)
    assert worker.to_row(14.0, 1e9).image_wait == 0.5
    assert worker.image_wait(40.0) == 0.0


def test_long_batches_give_no_more_time_to_a_worker_that_reports_every_layer() -> None:
    worker = captioning("cpu:0")
    worker.on_rows(8, 900.0)
    worker.on_progress(900.0, layer=True)
    assert worker.hang_reason(900.0 + POLICY.cpu_row_limit - 1, POLICY) is None
    assert worker.hang_reason(900.0 + POLICY.cpu_row_limit + 1, POLICY)


@pytest.mark.parametrize(
    ("cause", "last_words", "at_fault"),
    [
        (None, None, False),
        ("hang", None, True),
        (None, Failed(kind="error", text="x"), True),
        (None, Stuck(text="x"), False),
        ("run_stopped", None, False),
        ("run_stopped", Failed(kind="error", text="x"), True),
        ("device_lost", Failed(kind="sticky", text="x"), False),
        ("node_left", Failed(kind="error", text="x"), False),
        ("unkillable", Failed(kind="error", text="x"), False),
    ],
)
def test_who_is_at_fault(
    cause: EndCause | None, last_words: Failed | Stuck | None, at_fault: bool
) -> None:
    worker = captioning("cuda:0")
    if cause is not None:
        worker.terminate(cause, "reason", 1.0)
    if last_words is not None:
        worker.on_last_words(last_words, 2.0)
    assert worker.at_fault == at_fault


def test_a_worker_gets_sigterm_once() -> None:
    worker = captioning("cuda:0")
    worker.terminate("hang", "no caption", 5.0)
    worker.terminate("device_lost", "device lost", 8.0)
    assert (worker.end_cause, worker.ending_since) == ("device_lost", 5.0)
    assert worker.handle.signals == ["TERM"]  # type: ignore[attr-defined]


def test_a_load_begins_without_the_failure_of_the_one_before() -> None:
    worker = captioning("cuda:0")
    worker.on_load_failed(False, 0.5)
    assert worker.load_failed and worker.model_id is None
    worker.begin_load(2, False, 1.0)
    assert not worker.load_failed


NAMES_OF_WORKERS = ("worker", "other", "each", "member")
"""Names under which other modules of the package hold a `WorkerState`."""


def fields_set(source: str) -> list[str]:
    """Return the fields of a worker that a module sets, as `worker.state`."""
    known = {entry.name for entry in fields(WorkerState)}
    return [
        ast.unparse(node)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store | ast.Del)
        and isinstance(node.value, ast.Name)
        and node.value.id in NAMES_OF_WORKERS
        and node.attr in known
    ]


def test_only_its_own_module_sets_the_fields_of_a_worker() -> None:
    found = {
        path.name: names
        for path in PACKAGE.glob("*.py")
        if (names := fields_set(path.read_text())) and path.name != "worker_state.py"
    }
    assert not found


def test_a_planted_write_to_a_field_is_found() -> None:
    planted = "worker.attempt, worker.state = None, 'idle'\nworker.batch += 1\nother.name = 2\n"
    assert sorted(fields_set(planted)) == ["worker.attempt", "worker.batch", "worker.state"]
