"""The invariants of a project, which hold after any fault once no supervisor runs."""

from __future__ import annotations

import json
import os
import sqlite3
from collections import Counter
from collections.abc import Collection
from contextlib import closing
from pathlib import Path

from db import progress, projects
from db.connection import reading
from engine.project import caption_log, log_rows
from engine.project.layout import Project
from engine.protocol.caption_row import CaptionRow
from tests.support.pictures import dry_run_caption
from tests.support.waiting import wait_for

GONE_SECONDS = 20.0
"""Seconds within which all processes of a run must end. An orphan with work left would live
longer."""


def check_invariants(
    project: Project, redone: Collection[int] | None = (), foreign: bool = False
) -> None:
    """Assert that every record of a finished task has one result per model, from its own image.

    The result is a caption or a failure, and the counters of the database agree with the logs.
    `redone` are the shards in which a record may have two captions, because a retry made it again;
    None means any shard. `foreign` is True if a test has put foreign lines into the logs.
    """
    wait_until_gone(project)
    with closing(sqlite3.connect(project.database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute(
            "SELECT count(*) FROM attempt WHERE ended IS NULL"
        ).fetchone() == (0,)
    with reading(project.database) as connection:
        settings = projects.project(connection)
        models = {model.id: model for model in projects.models(connection)}
        tasks = projects.tasks(connection)
        failures = {
            task.id: sum(row.count for row in progress.failures(connection, task.id))
            for task in tasks
        }
    root = project.image_root(settings)
    for task in tasks:
        lines = project.shard_file(task.shard).read_text().splitlines()
        images = [json.loads(line)["image"] for line in lines]
        path = project.caption_log_file(models[task.model_id], task.shard)
        log = caption_log.read(path, task.count)
        assert foreign or log.foreign == 0, path
        assert task.state != "running"
        assert (task.captioned, task.failed) == (len(log.captions), len(log.errors)), task
        assert not set(log.captions) & set(log.errors)
        assert failures[task.id] == task.failed
        if task.state == "done":
            assert set(log.captions) | set(log.errors) == set(range(task.count))
            assert task.digest == log.digest
        if redone is not None and task.shard not in redone:
            assert records_captioned_twice(path, task.count) == []
        for i, row in log.captions.items():
            assert row.raw.startswith(dry_run_caption(root / images[i])), (path, i)
        for i, failure in log.errors.items():
            assert failure.error and failure.detail, (path, i)


def records_captioned_twice(log: Path, count: int) -> list[int]:
    """Return the indexes of records with more than one caption in a caption log."""
    if not log.exists():
        return []
    rows = [log_rows.parse(line, count) for line in log.read_bytes().splitlines()]
    seen = Counter(row.i for row in rows if isinstance(row, CaptionRow))
    return [i for i, times in seen.items() if times > 1]


def wait_until_gone(project: Project) -> None:
    """Wait until no supervisor or worker of the project runs."""
    wait_for(lambda: not leftover_processes(project), GONE_SECONDS)


def leftover_processes(project: Project) -> list[int]:
    """Return the pids of supervisors and workers: their stderr is one of the project's logs."""
    pids = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            target = str((process / "fd/2").readlink())
        except OSError:
            continue
        if target.startswith(f"{project.logs}/") and int(process.name) != os.getpid():
            pids.append(int(process.name))
    return pids
