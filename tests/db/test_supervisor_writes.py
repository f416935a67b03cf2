"""What the supervisor writes, and reads back when it starts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from db import progress, supervisor_writes
from db.rows import (
    AttemptRow,
    DeviceRow,
    EventRow,
    FailureRow,
    SampleRow,
    ThroughputRow,
    WorkerRow,
)
from tests.db.conftest import task_of

WORKER = WorkerRow(id="w1", device="cuda:0", pid=3, created=1.0, boot_id="b")
ATTEMPT = AttemptRow(task_id=1, number=1, worker_id="w1", device="cuda:0", started=2.0)


def test_a_task_is_saved_whole(connection: Connection) -> None:
    task = task_of(connection, 0, 1)
    changed = replace(
        task,
        state="failed",
        priority=2,
        attempt=3,
        strikes=3,
        not_before=4.0,
        captioned=1,
        failed=2,
        left=7,
        redo="failed",
        redo_from=50,
        rows=4,
        log_bytes=90,
        log_mtime_ns=9,
        device="cuda:0",
        started=5.0,
        finished=6.0,
        seconds=1.0,
        error="exit code \udcff",
        error_cause="exited",
        updated=7.0,
    )
    supervisor_writes.save_tasks(connection, [(task, changed)])
    assert task_of(connection, 0, 1) == replace(changed, error="exit code \\udcff")


def test_nothing_to_save_is_no_conflict(connection: Connection) -> None:
    supervisor_writes.save_tasks(connection, [])
    supervisor_writes.save_workers(connection, [])
    supervisor_writes.add_throughput(connection, [])
    supervisor_writes.add_samples(connection, [])
    supervisor_writes.add_events(connection, [])
    assert progress.events(connection, 9) == ()


def test_what_an_earlier_supervisor_left_open_is_closed(connection: Connection) -> None:
    done = replace(ATTEMPT, number=2, worker_id="w2", ended=3.0, outcome="done")
    supervisor_writes.save_attempts(connection, [ATTEMPT, done])
    supervisor_writes.save_workers(connection, [WORKER])
    supervisor_writes.close_attempts(connection, 9.0, "lost")
    assert progress.attempts(connection, 1) == (replace(ATTEMPT, ended=9.0, outcome="lost"), done)
    assert progress.workers(connection) == ()


def test_a_worker_is_inserted_and_then_updated(connection: Connection) -> None:
    supervisor_writes.save_workers(connection, [WORKER])
    captioning = replace(WORKER, state="captioning", model_id=1, task_id=1, rate=2.5, batch=8)
    supervisor_writes.save_workers(connection, [captioning])
    assert progress.workers(connection) == (captioning,)


def test_one_live_worker_per_device(connection: Connection) -> None:
    supervisor_writes.save_workers(connection, [WORKER])
    following = replace(WORKER, id="w2")
    supervisor_writes.save_workers(connection, [following, replace(WORKER, ended=5.0)])
    assert progress.workers(connection) == (following,)
    with pytest.raises(IntegrityError):
        supervisor_writes.save_workers(connection, [replace(WORKER, id="w3")])


def test_devices_of_a_new_run_keep_pins_and_measurements(connection: Connection) -> None:
    first = DeviceRow(id="cuda:0", label="A", memory_total=9)
    second = DeviceRow(id="cuda:1", label="A")
    supervisor_writes.set_devices(connection, [first, second])
    measured = replace(first, pinned_model_id=2, memory_used=4, utilisation=50.0)
    supervisor_writes.save_devices(connection, [measured])
    resting = replace(first, label="B", state="resting", rest_until=8.0)
    supervisor_writes.set_devices(connection, [resting, DeviceRow(id="cuda:10")])
    now = replace(resting, pinned_model_id=2, memory_used=4, utilisation=50.0)
    assert supervisor_writes.devices(connection) == (now, DeviceRow(id="cuda:10"))
    known = supervisor_writes.devices(connection, present=False)
    assert known == (now, second, DeviceRow(id="cuda:10"))


def test_batch_sizes(connection: Connection) -> None:
    assert supervisor_writes.batch_sizes(connection) == {}
    for device, model_id, size in (("a", 1, 8), ("a", 2, 4), ("b", 1, 16), ("a", 1, 6)):
        supervisor_writes.save_batch_size(connection, device, model_id, size)
    assert supervisor_writes.batch_sizes(connection) == {("a", 1): 6, ("a", 2): 4, ("b", 1): 16}
    supervisor_writes.forget_batch_sizes(connection, 1)
    assert supervisor_writes.batch_sizes(connection) == {("a", 2): 4}


def test_failures_of_a_task_are_replaced(connection: Connection) -> None:
    missing = FailureRow(task_id=1, kind="missing", count=2, examples=((0, "a"), (1, "b")))
    other = FailureRow(task_id=2, kind="missing", count=1)
    supervisor_writes.set_failures(connection, 1, [missing])
    supervisor_writes.set_failures(connection, 2, [other])
    corrupt = FailureRow(task_id=1, kind="corrupt", count=1)
    supervisor_writes.set_failures(connection, 1, [corrupt])
    assert set(progress.failures(connection)) == {corrupt, other}
    supervisor_writes.set_failures(connection, 1, [])
    assert progress.failures(connection) == (other,)


def test_throughput_adds_up(connection: Connection) -> None:
    row = ThroughputRow(minute=7, device="a", model_id=1, images=10, tokens=100)
    supervisor_writes.add_throughput(connection, [row])
    supervisor_writes.add_throughput(connection, [replace(row, images=5, tokens=1)])
    stored = connection.execute(text("SELECT * FROM throughput")).mappings().all()
    assert [dict(it) for it in stored] == [
        {"minute": 7, "device": "a", "model_id": 1, "images": 15, "tokens": 101}
    ]


def test_old_samples_and_events_are_deleted(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor_writes, "SAMPLE_RING_SIZE", 3)
    monkeypatch.setattr(supervisor_writes, "MAX_EVENTS", 2)
    for n in range(5):
        sample = SampleRow(
            created=0.0,
            model_id=1,
            shard=0,
            i=n,
            image="a.jpg",
            original="o",
            raw="r",
            sheared="r",
            start=0,
            end=1,
            tokens=1,
            finish="length",
        )
        supervisor_writes.add_samples(connection, [sample])
        event = EventRow(created=0.0, level="info", text=str(n))
        supervisor_writes.add_events(connection, [event])
    assert [row.i for row in progress.samples(connection, 99)] == [4, 3, 2]
    assert [row.text for row in progress.events(connection, 99)] == ["4", "3"]
