"""Filters, orders and pages of the table of tasks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from db import connection as connect
from db import projects, supervisor_writes, task_pages
from db.rows import ModelRow, ProjectRow, ShardRow


@pytest.fixture(scope="module")
def connection(tmp_path_factory):
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
        projects.create(writing, ProjectRow("u", 0.0, 3000, "/i"), models, shards)
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
    ],
)
def test_filters(connection, filter, matching):
    assert task_pages.shard_page(connection, filter).matching == matching
    assert len(task_pages.matching_tasks(connection, filter)) == matching


@pytest.mark.parametrize("filter", ["color:red", "tries>many", "model>3", "status:flying"])
def test_a_filter_that_makes_no_sense_is_an_error(connection, filter):
    with pytest.raises(task_pages.FilterError):
        task_pages.shard_page(connection, filter)


@pytest.mark.parametrize("sort", task_pages.SORT_KEYS)
@pytest.mark.parametrize("descending", [False, True])
def test_pages_cover_everything_once(connection, sort, descending):
    seen = []
    for offset in range(0, 600, 200):
        page = task_pages.shard_page(connection, "", sort, descending, offset)
        assert page.offset == offset
        seen += [row.id for row in page.rows]
    assert len(seen) == 600 == len(set(seen))


def test_sorting_happens_in_sql(connection):
    page = task_pages.shard_page(connection, sort="attempt", descending=True)
    assert [row.attempt for row in page.rows[:3]] == [3, 1, 0]
    page = task_pages.shard_page(connection, sort="model", descending=True)
    assert page.rows[0].model_id == 2
