"""How long a project was worked on, and the list of its exports."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection

from db import exports, history, supervisor_writes
from db.history import Work, total_work
from db.rows import AttemptRow, ExportRow, ThroughputRow
from tests.db.conftest import task_of


@pytest.mark.parametrize(
    ("spans", "work"),
    [
        ([(1.0, 4.0)], (1.0, 4.0, 3.0)),
        ([(1.0, 4.0), (2.0, 3.0)], (1.0, 4.0, 3.0)),  # beside each other
        ([(1.0, 4.0), (2.0, 6.0), (10.0, 11.0)], (1.0, 11.0, 6.0)),  # then a rest
        ([(1.0, 1.0)], (1.0, 1.0, 0.0)),
    ],
)
def test_time_together(spans: list[tuple[float, float]], work: tuple[float, float, float]) -> None:
    began, ended, seconds = work
    assert total_work(spans) == Work(began=began, ended=ended, seconds=seconds)


def test_work_and_images_by_model(connection: Connection) -> None:
    assert history.work_by_model(connection) == {}
    rows = [
        AttemptRow(
            task_id=task_of(connection, shard, model).id,
            number=1,
            worker_id=f"w{shard}{model}",
            device="cpu:0",
            started=started,
            ended=ended,
        )
        for shard, model, started, ended in ((0, 1, 5.0, 9.0), (0, 2, 1.0, 6.0), (1, 1, 20.0, None))
    ]
    supervisor_writes.save_attempts(connection, rows)
    assert history.work_by_model(connection) == {
        None: Work(began=1.0, ended=9.0, seconds=8.0),
        1: Work(began=5.0, ended=9.0, seconds=4.0),
        2: Work(began=1.0, ended=6.0, seconds=5.0),
    }
    made = ThroughputRow(minute=1, device="cpu:0", model_id=1, images=3, tokens=4)
    supervisor_writes.add_throughput(connection, [made, made])
    assert history.images_by_model(connection) == {1: 6}


def test_exports(connection: Connection) -> None:
    rows = [
        ExportRow(created=float(n), path=f"/{n}", format="json", captions=n, images=n)
        for n in range(3)
    ]
    for row in rows:
        exports.add(connection, row)
    assert exports.newest(connection, 2) == (rows[2], rows[1])
