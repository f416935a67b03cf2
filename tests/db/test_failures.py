"""Failures grouped by what went wrong, and what is in each group."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection

from db import failures, supervisor_writes
from db.failures import NO_ERROR, Cause
from db.rows import AttemptRow, FailedImages, FailureRow
from tests.db.conftest import task_of

CRASH = "killed by signal 11"


def change(connection: Connection, shard: int, model_id: int, **values: Any) -> int:
    """Save changed fields of a task, and return its id."""
    task = task_of(connection, shard, model_id)
    supervisor_writes.save_tasks(connection, [(task, replace(task, **values))])
    return task.id


@pytest.fixture
def tasks(connection: Connection) -> dict[tuple[int, int], int]:
    """Make failures of every kind. Returns the ids of all tasks by (shard, model id)."""
    crashed = {"state": "failed", "error": CRASH, "error_cause": "crashed"}
    values: dict[tuple[int, int], dict[str, Any]] = {
        (0, 1): crashed | {"updated": 7.0, "device": "cuda:1", "attempt": 3},
        (0, 2): crashed | {"updated": 9.0},
        (1, 1): {"state": "failed", "error": ""},
        (1, 2): {"state": "failed"},
        (2, 1): crashed | {"failed": 3, "captioned": 2, "left": 0, "empty": 2},
        (2, 2): crashed | {"failed": 1, "left": 4},
    }
    ids = {key: change(connection, *key, **changed) for key, changed in values.items()}
    rows: dict[tuple[int, int], list[Any]] = {
        (2, 1): [("missing", 2, ((0, "no file"), (3, "no file"))), ("corrupt", 1, ((4, "bad"),))],
        (2, 2): [("missing", 1, ((1, "no such file"),))],
    }
    for key, kinds in rows.items():
        found = [
            FailureRow(task_id=ids[key], kind=kind, count=count, examples=examples)
            for kind, count, examples in kinds
        ]
        supervisor_writes.set_failures(connection, ids[key], found)
    return ids


def test_causes_over_everything(connection: Connection, tasks: dict[Any, int]) -> None:
    both: Any = {"models": ("first", "second")}
    first: Any = {"models": ("first",), "shards": 1, "failed_at": 0.0}
    assert failures.causes(connection) == (
        Cause(
            scope="shard",
            kind=CRASH,
            count=4,
            shards=2,
            failed_at=9.0,
            error_cause="crashed",
            **both,
        ),
        Cause(scope="shard", kind=NO_ERROR, count=2, shards=1, failed_at=0.0, **both),
        Cause(
            scope="record",
            kind="missing",
            count=3,
            shards=1,
            failed_at=0.0,
            images=FailedImages(3),
            **both,
        ),
        Cause(scope="record", kind="corrupt", count=1, images=FailedImages(1), **first),
        Cause(scope="record", kind="empty", count=2, **first),
    )


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        (
            "model",
            [
                ("shard", CRASH, 2, 2, None),
                ("shard", NO_ERROR, 1, 2, None),
                ("shard", CRASH, 2, 1, None),
                ("shard", NO_ERROR, 1, 1, None),
                ("record", "missing", 1, 2, None),
                ("record", "missing", 2, 1, None),
                ("record", "corrupt", 1, 1, None),
                ("record", "empty", 2, 1, None),
            ],
        ),
        (
            "shard",
            [
                ("shard", CRASH, 2, None, 0),
                ("shard", NO_ERROR, 2, None, 1),
                ("shard", CRASH, 2, None, 2),
                ("record", "missing", 3, None, 2),
                ("record", "corrupt", 1, None, 2),
                ("record", "empty", 2, None, 2),
            ],
        ),
    ],
)
def test_causes_within_a_model_or_a_shard(
    connection: Connection, tasks: dict[Any, int], by: failures.Grouping, expected: list[Any]
) -> None:
    found = failures.causes(connection, by)
    fields = [(it.scope, it.kind, it.count, it.model_id, it.shard) for it in found]
    assert fields == expected


def test_nothing_failed(connection: Connection) -> None:
    assert failures.causes(connection) == ()


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        (CRASH, [(0, 1), (0, 2), (2, 1), (2, 2)]),
        (NO_ERROR, [(1, 1), (1, 2)]),
        ("missing", [(2, 1), (2, 2)]),
        ("corrupt", [(2, 1)]),
        ("empty", [(2, 1)]),
    ],
)
def test_the_tasks_of_a_cause(
    connection: Connection, tasks: dict[Any, int], kind: str, keys: list[tuple[int, int]]
) -> None:
    (cause,) = (cause for cause in failures.causes(connection) if cause.kind == kind)
    assert failures.tasks_with_cause(connection, cause) == tuple(tasks[key] for key in keys)
    of_first = replace(cause, model_id=1)
    expected = tuple(tasks[key] for key in keys if key[1] == 1)
    assert failures.tasks_with_cause(connection, of_first) == expected
    of_shard = replace(cause, shard=2)
    expected = tuple(tasks[key] for key in keys if key[0] == 2)
    assert failures.tasks_with_cause(connection, of_shard) == expected


def found(connection: Connection, kind: str, limit: int = 9) -> list[tuple[Any, ...]]:
    """Return shard, model id, index and detail of the occurrences of a cause."""
    (cause,) = (cause for cause in failures.causes(connection) if cause.kind == kind)
    rows = failures.occurrences(connection, cause, limit)
    return [(row.shard, row.model_id, row.index, row.detail) for row in rows]


def test_occurrences(connection: Connection, tasks: dict[Any, int]) -> None:
    crashed = [(0, 1), (0, 2), (2, 1), (2, 2)]
    assert found(connection, CRASH) == [(*key, None, CRASH) for key in crashed]
    assert found(connection, NO_ERROR) == [(1, 1, None, ""), (1, 2, None, "")]
    assert found(connection, "missing") == [
        (2, 1, 0, "no file"),
        (2, 1, 3, "no file"),
        (2, 2, 1, "no such file"),
    ]
    assert found(connection, "missing", limit=1) == [(2, 1, 0, "no file")]
    assert found(connection, "empty") == [(2, 1, None, "2 captions were sheared to nothing")]


def test_an_occurrence_has_the_last_attempt(connection: Connection, tasks: dict[Any, int]) -> None:
    (cause,) = (cause for cause in failures.causes(connection, "model") if cause.failed_at == 7.0)
    row, _ = failures.occurrences(connection, cause, 9)
    assert (row.task_id, row.device, row.attempt, row.failed_at) == (tasks[0, 1], "cuda:1", 3, 7.0)


def test_a_failure_has_the_time_of_its_attempt(
    connection: Connection, tasks: dict[Any, int]
) -> None:
    attempt = AttemptRow(
        task_id=tasks[2, 1], number=1, worker_id="w", device="cpu:0", started=3.0, ended=5.0
    )
    supervisor_writes.save_attempts(connection, [attempt])
    change(connection, 2, 1, attempt=1, finished=6.0, updated=99.0, empty=3)  # sheared again
    times = {it.kind: it.failed_at for it in failures.causes(connection) if it.scope == "record"}
    assert times == {"missing": 5.0, "corrupt": 5.0, "empty": 5.0}
    (crash,) = (it for it in failures.causes(connection) if it.kind == CRASH)
    assert crash.failed_at == 9.0, "a task that failed has its own time, or that of its change"


def test_an_image_that_fails_with_two_models_counts_once(
    connection: Connection, tasks: dict[Any, int]
) -> None:
    assert failures.failed_images(connection) == FailedImages(4)  # 0, 3 and 4; 1
    same = FailureRow(tasks[2, 2], "missing", 2, ((0, "no file"), (3, "no file")))
    supervisor_writes.set_failures(connection, tasks[2, 2], [same])
    assert failures.failed_images(connection) == FailedImages(3)
    many = FailureRow(tasks[0, 1], "missing", 50, tuple((i, "") for i in range(20)))
    supervisor_writes.set_failures(connection, tasks[0, 1], [many])
    assert failures.failed_images(connection) == FailedImages(53, exact=False)


def test_a_group_is_told_by_its_kind_and_place(
    connection: Connection, tasks: dict[Any, int]
) -> None:
    first, other = failures.causes(connection)[:2]
    assert first.same_group(replace(first, count=99, failed_at=1.0))
    assert not first.same_group(other)
    assert not first.same_group(replace(first, model_id=1))
    assert not first.same_group(None)


def test_counts_of_one_kind(connection: Connection, tasks: dict[Any, int]) -> None:
    assert failures.failed_counts(connection, "missing") == {tasks[2, 1]: 2, tasks[2, 2]: 1}
    assert failures.failed_counts(connection, "excluded") == {}
