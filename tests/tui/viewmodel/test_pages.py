"""The pages that screens read from the database, besides the snapshot."""

from __future__ import annotations

from pathlib import Path

import pytest

from db.rows import TaskRow
from engine.project.layout import Project
from engine.utils.errors import BadInput
from tests.support import canned_projects, canned_rows
from tui.viewmodel import pages
from tui.viewmodel.pages import TaskQuery


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return canned_projects.copy_canned_project(tmp_path / "p", "busy", shards=60)


def test_tasks_by_filter_order_and_page(project: Project) -> None:
    query = TaskQuery(filter="model:otter", sort="shard", descending=True)
    page = pages.read_tasks(project, query, first=10, limit=5)
    assert [task.shard for task in page.rows] == [49, 48, 47, 46, 45]
    assert (page.offset, page.matching) == (10, 60)
    assert len(pages.read_matching_tasks(project, query)) == 60


def test_a_filter_that_makes_no_sense_is_refused(project: Project) -> None:
    query = TaskQuery(filter="colour:red")
    with pytest.raises(BadInput, match="colour"):
        pages.read_tasks(project, query, 0, 5)
    with pytest.raises(BadInput, match="colour"):
        pages.read_matching_tasks(project, query)


def failed_task(project: Project) -> TaskRow:
    return pages.read_tasks(project, TaskQuery("status:failed"), 0, 1).rows[0]


def test_the_history_of_a_task_ends_with_its_workers_log(project: Project) -> None:
    task = failed_task(project)
    assert task.device is not None
    project.logs.mkdir(exist_ok=True)
    project.worker_log(task.device).write_text("one\ntwo\nthree\n")
    history = pages.read_task_history(project, task, log_lines=2)
    assert [attempt.number for attempt in history.attempts] == [1, 2, 3]
    assert history.log == ["two", "three"]


def test_a_task_without_a_device_has_no_log(project: Project) -> None:
    task = pages.read_tasks(project, TaskQuery("status:pending"), 0, 1).rows[0]
    nothing = pages.TaskHistory(attempts=(), failures=(), log=[])
    assert pages.read_task_history(project, task, log_lines=2) == nothing


def test_causes_and_their_occurrences(project: Project) -> None:
    causes = pages.read_causes(project, "cause")
    of_shards = next(cause for cause in causes if cause.scope == "shard")
    occurrences = pages.read_occurrences(project, of_shards, limit=1)
    assert [row.task_id for row in occurrences] == [failed_task(project).id]
    by_model = pages.read_causes(project, "model")
    assert {cause.model_id for cause in causes} == {None}
    assert all(cause.model_id is not None for cause in by_model)


def test_the_newest_samples_come_first(project: Project) -> None:
    samples = pages.read_newest_samples(project, limit=3)
    assert len(samples) == 3
    assert [each.created for each in samples] == sorted(
        (each.created for each in samples), reverse=True
    )


@pytest.mark.parametrize(
    ("groups_per_line", "lines", "shards_per_cell", "groups"),
    [(60, 5, 1, 60), (20, 5, 3, 20), (20, 10, 2, 30), (10, 1, 6, 10)],
)
def test_the_map_of_shards_fits_into_its_lines(
    project: Project, groups_per_line: int, lines: int, shards_per_cell: int, groups: int
) -> None:
    matrix = pages.read_coverage(project, groups_per_line, lines)
    assert len(matrix.models) == 4
    assert matrix.shards == 60
    assert matrix.shards_per_cell == shards_per_cell
    assert matrix.groups == groups
    assert sum(cell.tasks for cell in matrix.cells.values()) == 4 * 60


def test_the_throughput_of_all_time_has_a_bounded_number_of_steps(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = pages.read_throughput_history(project, canned_rows.NOW)
    assert whole.step == 1
    monkeypatch.setattr(pages, "MAX_POINTS", 10)
    coarse = pages.read_throughput_history(project, canned_rows.NOW)
    assert coarse.step > 1
    assert len({minute for minute, _, _ in coarse.series}) <= 11
    assert sum(count for *_, count in coarse.series) == sum(count for *_, count in whole.series)
