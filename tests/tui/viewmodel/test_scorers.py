"""What screens and `status` say of a scorer: scored images, where others have captions."""

from __future__ import annotations

from pathlib import Path

import pytest

from db import projects
from db.connection import migrate, reading, writing
from db.rows import ModelRow, ProjectRow, ShardRow, TaskState
from engine.captioners.model_families import FAMILIES
from engine.project.layout import Project
from engine.state.policy import Policy
from engine.state.project_state import ProjectState
from tests.support.fake_scorer import FAMILY
from tui.cli.headless_run import progress_line
from tui.cli.output import status_lines
from tui.viewmodel.pages import read_coverage, read_task_history
from tui.viewmodel.snapshot_reader import read_snapshot
from tui.viewmodel.status import status_dict
from tui.widgets.models import one_line, total_line, two_lines
from tui.widgets.task_detail import detail_lines


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Two shards of ten records: the captions are done, and the scores of the first shard."""
    monkeypatch.setitem(FAMILIES, FAMILY.name, FAMILY)
    project = Project(tmp_path / "run")
    project.folder.mkdir()
    migrate(project.database)
    models = [
        ModelRow(
            id=n,
            position=n,
            name=name,
            family=family,
            checkpoint=None,
            settings={},
            settings_hash="h",
        )
        for n, (name, family) in enumerate([("cat", "dry-run"), ("clip", FAMILY.name)], 1)
    ]
    shards = [ShardRow(number=n, first=10 * n, count=10, bytes=1, digest="d") for n in range(2)]
    head = ProjectRow(uid="u", created=0.0, records=20, image_root="/")
    with writing(project.database) as connection:
        projects.create(connection, head, models, shards)
    state = ProjectState.load(project, Policy())
    for task in list(state.ledger.tasks.values()):
        is_done = task.model_id == 1 or task.shard == 0
        done: TaskState = "done" if is_done else "pending"
        state.ledger.change(
            task.id,
            1.0,
            state=done,
            captioned=10 * is_done,
            left=10 * (not is_done),
            digest="d" if is_done else None,
        )
    state.ledger.uncounted.clear()
    state.commit()
    return project


def test_scores_are_counted_apart_from_captions(project: Project) -> None:
    snapshot = read_snapshot(project)
    assert (snapshot.captioned, snapshot.total) == (20, 20)
    assert (snapshot.scored, snapshot.to_score) == (10, 20)
    assert (snapshot.share, snapshot.left, snapshot.state) == (0.75, 10, "idle")
    assert [model.row.name for model in snapshot.captioners] == ["cat"]


def test_status_says_which_model_scores(project: Project) -> None:
    snapshot = read_snapshot(project)
    cat, clip = status_dict(snapshot)["models"]
    assert (cat["captioned"], "scored" in cat) == (20, False)
    assert (clip["captioned"], clip["scored"]) == (0, 10)
    lines = list(status_lines(snapshot))
    assert "  cat: 20 of 20 images captioned, 0 failed" in lines
    assert "  clip: 10 of 20 images scored, 0 failed" in lines
    assert "20 of 20 captions, 10 of 20 images scored, no image failed" in progress_line(snapshot)


def test_the_dashboard_marks_a_scorer(project: Project) -> None:
    snapshot = read_snapshot(project)
    clip = snapshot.models[1]
    assert one_line(clip, None, 24, 80).plain.startswith("clip (scores)")
    assert two_lines(clip, None, 50)[0].plain.startswith("clip (scores)")
    assert total_line(snapshot).plain == "all  75%  20/20 captions  10/20 scored"


def test_the_detail_of_a_task_says_what_was_done(project: Project) -> None:
    with reading(project.database) as connection:
        tasks = {(t.shard, t.model_id): t for t in projects.tasks(connection)}
    words = [
        detail_lines(tasks[0, model], read_task_history(project, tasks[0, model], 0))[0].plain
        for model in (1, 2)
    ]
    assert "10 captioned, 0 failed" in words[0]
    assert "10 scored, 0 failed" in words[1]


def test_the_map_of_shards_shows_captions_alone(project: Project) -> None:
    assert [model.name for model in read_coverage(project, 10, 10).models] == ["cat"]
