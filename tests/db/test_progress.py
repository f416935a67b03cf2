"""Queries of what goes on in a run."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from db import connection as connect
from db import progress, projects, supervisor_writes
from db.progress import TaskSums
from db.rows import (
    AttemptRow,
    EventRow,
    FailureRow,
    SampleRow,
    SupervisorRow,
    ThroughputRow,
    WorkerRow,
)
from tests.db.conftest import task_of

SUPERVISOR = SupervisorRow(
    pid=17, created=1.0, boot_id="b", host="h", heartbeat=2.0, devices="cuda:0,cuda:1"
)


def change(connection: Connection, shard: int, model_id: int, **values: Any) -> int:
    """Save changed fields of a task, and return its id."""
    task = task_of(connection, shard, model_id)
    supervisor_writes.save_tasks(connection, [(task, replace(task, **values))])
    return task.id


def sums_of(model_id: int, state: str, **values: int) -> TaskSums:
    names = ("total", "captioned", "failed", "empty", "left", "asked", "asked_left")
    return TaskSums(
        model_id=model_id, state=state, **({"tasks": 1} | dict.fromkeys(names, 0) | values)
    )


def test_sums_by_model_and_state(connection: Connection) -> None:
    change(connection, 0, 1, state="done", digest="d", captioned=8, failed=2, left=0, empty=1)
    change(connection, 1, 1, state="running", captioned=3, left=7, asked=9)
    sums = {(row.model_id, row.state): row for row in progress.task_sums(connection)}
    assert sums == {
        (1, "done"): sums_of(1, "done", total=10, captioned=8, failed=2, empty=1),
        (1, "running"): sums_of(1, "running", total=10, captioned=3, left=7, asked=9, asked_left=7),
        (1, "pending"): sums_of(1, "pending", total=5, left=5),
        (2, "pending"): sums_of(2, "pending", tasks=3, total=25, left=25),
    }
    assert progress.tasks_by_state(list(sums.values())) == {
        "pending": 4,
        "running": 1,
        "done": 1,
        "failed": 0,
        "skipped": 0,
    }


def test_when_the_first_pending_task_of_each_model_is_due(connection: Connection) -> None:
    assert progress.first_due(connection) == {1: 0.0, 2: 0.0}
    change(connection, 0, 1, state="done", digest="d", left=0)
    change(connection, 1, 1, not_before=70.0)
    change(connection, 2, 1, not_before=50.0)
    assert progress.first_due(connection) == {1: 50.0, 2: 0.0}


def test_totals(connection: Connection) -> None:
    assert progress.totals(connection) == (3, 25)


def test_the_version_of_the_data_changes_with_a_commit_of_another(database: Path) -> None:
    with connect.reading(database) as connection:
        before = progress.data_version(connection)
        assert progress.data_version(connection) == before
        with closing(sqlite3.connect(database)) as other, other:
            other.execute("UPDATE task SET attempt = 1")
        assert progress.data_version(connection) != before


def test_the_supervisor_until_its_run_ends(connection: Connection) -> None:
    assert progress.supervisor(connection) is None
    assert progress.last_devices(connection) is None
    supervisor_writes.save_supervisor(connection, SUPERVISOR)
    stopping = replace(SUPERVISOR, heartbeat=9.0, stopping="now")
    supervisor_writes.save_supervisor(connection, stopping)
    assert progress.supervisor(connection) == stopping
    supervisor_writes.forget_supervisor(connection)
    assert progress.supervisor(connection) is None
    assert progress.last_devices(connection) == "cuda:0,cuda:1"


def test_workers_that_live_by_device(connection: Connection) -> None:
    devices = ("cuda:10", "cuda:9", "cpu:0")
    workers = [
        WorkerRow(id=f"w{device}", device=device, pid=1, created=0.0, boot_id="b")
        for device in devices
    ]
    ended = replace(workers[2], id="old", ended=5.0)
    supervisor_writes.save_workers(connection, [*workers, ended])
    assert progress.workers(connection) == (workers[2], workers[1], workers[0])


def test_images_by_minute(connection: Connection) -> None:
    assert progress.first_minute(connection) is None
    made = [(7, "a", 1, 10), (7, "b", 1, 5), (8, "a", 2, 3), (9, "a", 1, 2)]
    rows = [
        ThroughputRow(minute=minute, device=device, model_id=model_id, images=images, tokens=1)
        for minute, device, model_id, images in made
    ]
    supervisor_writes.add_throughput(connection, rows)
    assert progress.first_minute(connection) == 7
    assert progress.images_by_minute(connection) == ((7, 1, 15), (8, 2, 3), (9, 1, 2))
    assert progress.images_by_minute(connection, since_minute=8) == ((8, 2, 3), (9, 1, 2))
    assert progress.images_by_minute(connection, step=4) == ((4, 1, 15), (8, 1, 2), (8, 2, 3))


def test_the_last_events_come_first(connection: Connection) -> None:
    events = [
        EventRow(created=0.0, level="warn", text=f"event {n}", device="cpu:0", shard=n)
        for n in range(4)
    ]
    supervisor_writes.add_events(connection, events)
    assert progress.events(connection, 2) == (events[3], events[2])


def test_events_are_read_on_from_where_one_was(connection: Connection) -> None:
    assert progress.last_event_id(connection) == 0
    events = [EventRow(created=float(n), level="info", text=f"event {n}") for n in range(5)]
    supervisor_writes.add_events(connection, events)
    newest = progress.last_event_id(connection)
    assert progress.events_after(connection, newest, 9) == ()
    first = progress.events_after(connection, newest - 5, 3)
    assert [row for _, row in first] == events[:3]
    assert [row for _, row in progress.events_after(connection, first[-1][0], 9)] == events[3:]


def test_the_last_samples_come_first(connection: Connection) -> None:
    samples = [
        SampleRow(
            created=0.0,
            model_id=1,
            shard=0,
            i=n,
            image="a \udcff.jpg",
            original="o",
            raw="raw",
            sheared="s",
            start=None,
            end=3,
            tokens=2,
            finish="stop",
        )
        for n in range(3)
    ]
    supervisor_writes.add_samples(connection, samples)
    stored = [replace(sample, image="a \\udcff.jpg") for sample in samples]
    assert progress.samples(connection, 2) == (stored[2], stored[1])


def test_the_attempts_at_a_task(connection: Connection) -> None:
    first = AttemptRow(
        task_id=1,
        number=1,
        worker_id="w1",
        device="cpu:0",
        started=0.0,
        ended=1.0,
        outcome="died",
        detail="exit code 3",
    )
    second = replace(first, number=2, worker_id="w2", ended=None, outcome=None, detail=None)
    other = replace(second, task_id=2, worker_id="w3")
    supervisor_writes.save_attempts(connection, [second, first, other])
    assert progress.attempts(connection, 1) == (first, second)


def test_failed_records_most_frequent_first(connection: Connection) -> None:
    rare = FailureRow(task_id=1, kind="corrupt", count=1, examples=((3, "bad \udcff"),))
    common = FailureRow(task_id=1, kind="missing", count=4)
    other = FailureRow(task_id=2, kind="missing", count=2)
    supervisor_writes.set_failures(connection, 1, [rare, common])
    supervisor_writes.set_failures(connection, 2, [other])
    assert progress.failures(connection, 1) == (common, rare)
    assert progress.failures(connection) == (common, other, rare)


def test_running_tasks_and_one_task(connection: Connection) -> None:
    task_id = change(connection, 1, 2, state="running", attempt=1)
    running = task_of(connection, 1, 2)
    assert progress.running_tasks(connection) == (running,)
    assert progress.task(connection, task_id) == running
    assert progress.task(connection, 99) is None


@pytest.mark.parametrize(
    ("choice", "keys"),
    [
        ({}, [(0, 1), (0, 2), (1, 1), (1, 2), (2, 1), (2, 2)]),
        ({"shards": [0, 2], "model_ids": [2]}, [(0, 2), (2, 2)]),
        ({"only_failed": True}, [(0, 1), (1, 2)]),
        ({"with_failed_records": True}, [(1, 1), (1, 2)]),
        ({"only_failed": True, "with_failed_records": True}, [(1, 2)]),
        ({"shards": [7]}, []),
    ],
)
def test_tasks_are_chosen(
    connection: Connection, choice: dict[str, Any], keys: list[tuple[int, int]]
) -> None:
    change(connection, 0, 1, state="failed")
    change(connection, 1, 1, failed=2)
    change(connection, 1, 2, state="failed", failed=2)
    ids = {(task.shard, task.model_id): task.id for task in projects.tasks(connection)}
    assert progress.chosen_tasks(connection, **choice) == tuple(ids[key] for key in keys)


def test_shards_with_captions_of_any_model(connection: Connection) -> None:
    change(connection, 2, 1, captioned=1)
    change(connection, 2, 2, captioned=2)
    change(connection, 0, 2, captioned=1)
    change(connection, 1, 1, failed=1)
    assert progress.shards_with_captions(connection) == (0, 2)


def test_tasks_of_scorers_wait_until_their_shard_is_captioned(connection: Connection) -> None:
    assert progress.waiting_for_captions(connection, []) == {}
    assert progress.waiting_for_captions(connection, [2]) == {2: 3}
    change(connection, 0, 1, state="done", digest="d", captioned=10, left=0)
    change(connection, 1, 1, state="failed")
    change(connection, 2, 1, state="running")
    assert progress.waiting_for_captions(connection, [2]) == {2: 1}
    change(connection, 2, 2, state="skipped")
    assert progress.waiting_for_captions(connection, [2]) == {}
