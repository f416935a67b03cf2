"""An import that is killed at any moment: what the logs hold counts, and a second one ends it.

The import runs in a forked process that ends without a word at its Nth write, sync or commit.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import pytest

from engine.operations.verify import verify
from engine.project.caption_log import CaptionLog
from engine.project.layout import Project
from engine.state.policy import Policy
from engine.state.project_state import ProjectState
from engine.state.reconcile import reconcile
from tests.engine.operations.imports.import_projects import (
    RECORDS,
    bring,
    captions_of,
    image,
    log_of,
    make_project,
    tasks_of,
    write_captions,
)
from tests.engine.operations.imports.test_caption_import import finish_with_failures

KILLED = 9
"""The exit code of the process that ends."""
EXPECTED = {n: f"A dog {n}" for n in range(2, 21)}


def import_until(project: Project, name: str, file: Path, last: int) -> bool:
    """Import in a process that ends at the event with this number; return False if it was done."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            left = [last]

            def dying(function: Callable[..., Any]) -> Callable[..., Any]:
                @wraps(function)
                def wrapper(*args: Any, **kwargs: Any) -> Any:
                    for moment in (lambda: None, lambda: function(*args, **kwargs)):
                        left[0] -= 1
                        if left[0] < 0:
                            os._exit(KILLED)
                        result = moment()
                    return result

                return wrapper

            CaptionLog.write = dying(CaptionLog.write)  # type: ignore[method-assign]
            ProjectState.commit = dying(ProjectState.commit)  # type: ignore[method-assign]
            os.fsync = dying(os.fsync)
            bring(project, name, file)
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, KILLED)
    return code == KILLED


def start_run(project: Project) -> None:
    """Do what the start of a run does with the tracker."""
    state = ProjectState.load(project, Policy())
    reconcile(state)
    state.commit()


@pytest.mark.parametrize(("name", "step"), [("blip", 1), ("dry-run", 3)])
def test_every_moment(tmp_path: Path, name: str, step: int) -> None:
    """A model of the project goes the same way as a new one, and is tried at fewer moments."""
    template = make_project(tmp_path)
    finish_with_failures(template)
    file = write_captions(tmp_path / "b.json", [(image(n), t) for n, t in EXPECTED.items()])
    last, killed = 0, True
    while killed:
        folder = tmp_path / f"run-{last}"
        shutil.copytree(template.folder, folder)
        project = Project(folder)
        killed = import_until(project, name, file, last)
        if last % 2:  # otherwise the second import comes first
            start_run(project)
            assert_all_counts(project, name)
        result = bring(project, name, file)
        assert captions_of(project, name) == EXPECTED
        assert {task.state for task in tasks_of(project, name)} == {"done"}
        assert result.appended + result.counts.reasons["there"] + result.counts.reasons[
            "same"
        ] == len(EXPECTED)
        assert_all_counts(project, name)
        assert not verify(folder).damage
        assert not list(project.captions.rglob("*.damaged-*"))
        shutil.rmtree(folder)
        last += step
    assert last > 20


def assert_all_counts(project: Project, name: str) -> None:
    """Assert that the tracker knows all that the logs of a model hold, if it has the model."""
    from db import projects
    from db.connection import reading

    with reading(project.database) as connection:
        if name not in {model.name for model in projects.models(connection)}:
            return
    tasks = tasks_of(project, name)
    assert sum(task.count for task in tasks) == RECORDS
    for task in tasks:
        contents = log_of(project, name, task.shard)
        assert task.captioned == len(contents.captions)
        assert task.state in ("done", "failed")
        assert task.state == "failed" or task.failed == len(contents.errors)
        assert contents.rows <= task.count + len(contents.captions)
