"""Whether a run is under way: the lock says so, whatever the database and other machines say."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from db.rows import SupervisorRow
from engine.process import identity
from engine.project.layout import Project
from engine.project.live_run import LiveRun, find_live_run
from engine.project.lock import LockHolder, ProjectLock


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.fixture
def row() -> SupervisorRow:
    """This process, as the supervisor of a project."""
    pid, created, boot_id = identity.this_process()
    return SupervisorRow(
        pid=pid,
        created=created,
        boot_id=boot_id,
        host=identity.host_name(),
        heartbeat=0.0,
        devices="cpu",
    )


def test_nobody_runs_it_while_the_lock_is_free(project: Project, row: SupervisorRow) -> None:
    """Even if the supervisor in the database lives: the folder is a copy of a running project."""
    with ProjectLock(project.lock):
        assert find_live_run(project, row) == LiveRun(row)
        assert find_live_run(project, None) == LiveRun(), "a command, or a run that starts up"
        assert find_live_run(project, replace(row, pid=1)) == LiveRun()
    assert find_live_run(project, row) == LiveRun()


def test_without_a_lock_file_the_process_is_looked_up(project: Project, row: SupervisorRow) -> None:
    assert find_live_run(project, row) == LiveRun(row)
    assert find_live_run(project, replace(row, pid=2**22 + 1)) == LiveRun()


@pytest.mark.parametrize(
    "changes", [{"pid": 2**22 + 1}, {"host": "far", "boot_id": "another"}, {"created": 0.5}]
)
def test_a_run_that_cannot_be_looked_up_is_elsewhere(
    project: Project, row: SupervisorRow, changes: dict[str, Any]
) -> None:
    holder = replace(LockHolder.this_process(), **changes)
    with ProjectLock(project.lock):
        project.lock.write_text(json.dumps(asdict(holder)))
        row = replace(row, **changes)
        assert find_live_run(project, row) == LiveRun(row, elsewhere=holder)
        assert find_live_run(project, None) == LiveRun(None, elsewhere=holder)


def test_a_holder_of_an_older_version_is_known_by_host_and_pid(
    project: Project, row: SupervisorRow
) -> None:
    with ProjectLock(project.lock):
        project.lock.write_text(json.dumps({"host": row.host, "pid": row.pid}))
        assert find_live_run(project, row) == LiveRun(row)
