"""Filters, orders and pages of the table of tasks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy.engine.base import Connection

from db import connection as connect
from db import projects, supervisor_writes, task_pages
from db.rows import ModelRow, ProjectRow, ShardRow


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    path = tmp_path_factory.mktemp("pages") / "project.db"
    connect.migrate(path)
    shards = [ShardRow(number=n, first=n * 10, count=10, bytes=100, digest="x") for n in range(300)]
    models = [
        ModelRow(
            id=number,
            position=number,
            name=name,
            family=name,
            checkpoint="/c",
            settings={},
            settings_hash=name,
        )
        for number, name in enumerate(("llava-1.5", "otter"), start=1)
    ]
    with connect.writing(path) as writing:
        projects.create(
            writing, ProjectRow(uid="u", created=0.0, records=3000, image_root="/i"), models, shards
        )
    with connect.reading(path) as reading:
        tasks = projects.tasks(reading)
    changed = [
        (tasks[0], replace(tasks[0], state="failed", error="CUDA out of memory_100%", attempt=3)),
        (tasks[1], replace(tasks[1], state="running", device="cuda:1", attempt=1)),
        (tasks[2], replace(tasks[2], captioned=7, failed=3, left=0, state="done", digest="d")),
    ]
    with connect.writing(path) as writing:
        supervisor_writes.save_tasks(writing, changed)
    with connect.reading(path) as reading:
        yield reading


@pytest.mark.parametrize(
    ("filter", "matching"),
    [
        ("", 600),
        ("status:failed", 1),
        ("!status:pending", 3),
        ("status:pend model:otter", 299),
        ("OTTER", 300),
        ("memory_100%", 1),
        ("memory%100", 0),
        ("gpu:cuda", 1),
        ("tries>0", 2),
        ("tries>1 status:failed", 1),
        ("fail>2", 1),
        ("WAIT", 597),
        ("status:WAIT", 597),
        ("00007", 2),
        ("shard<2", 4),
        ("!shard>0", 2),
        ("'; drop table task; --", 0),
        ("gpu:cuda error:memory", 0),
        ("9" * 5000, 0),
        ("!tries>99999999999999999999", 600),
        ("-status:pending", 3),
        ("not status:pending", 3),
        ('"CUDA out of" memory', 1),
        ('error:"out of memory"', 1),
        ("tries>=1", 2),
        ("tries > 1", 1),
        ("00:12", 0),
    ],
)
def test_filters(connection: Connection, filter: str, matching: int) -> None:
    assert task_pages.shard_page(connection, filter).matching == matching
    assert len(task_pages.matching_tasks(connection, filter)) == matching


@pytest.mark.parametrize(
    "filter", ["color:red", "tries>many", "model>3", "status:flying", 'say "no']
)
def test_a_filter_that_makes_no_sense_is_an_error(connection: Connection, filter: str) -> None:
    with pytest.raises(task_pages.FilterError):
        task_pages.shard_page(connection, filter)


@pytest.mark.parametrize("sort", task_pages.SORT_KEYS)
@pytest.mark.parametrize("descending", [False, True])
def test_pages_cover_everything_once(
    connection: Connection, sort: task_pages.SortKey, descending: bool
) -> None:
    seen = []
    for offset in range(0, 600, 200):
        page = task_pages.shard_page(connection, "", sort, descending, offset)
        assert page.offset == offset
        seen += [row.id for row in page.rows]
    assert len(seen) == 600 == len(set(seen))


def test_sorting_happens_in_sql(connection: Connection) -> None:
    page = task_pages.shard_page(connection, sort="attempt", descending=True)
    assert [row.attempt for row in page.rows[:3]] == [3, 1, 0]
    page = task_pages.shard_page(connection, sort="model", descending=True)
    assert page.rows[0].model_id == 2


def test_coverage_by_groups_of_shards(connection: Connection) -> None:
    cells = task_pages.coverage(connection, shards_per_group=2)
    assert len(cells) == 300
    first, second, *others = sorted(cells, key=lambda cell: (cell.group, cell.model_id))
    assert first == task_pages.CoverageCell(
        group=0,
        model_id=1,
        tasks=2,
        done=1,
        running=0,
        failed=1,
        skipped=0,
        captioned=7,
        total=20,
        failed_records=3,
    )
    assert first.share == 0.5
    assert (second.group, second.model_id, second.running, second.share) == (0, 2, 1, 0.0)
    assert {(cell.tasks, cell.done, cell.total, cell.share) for cell in others} == {(2, 0, 20, 0.0)}
