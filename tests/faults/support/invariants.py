"""What must hold after any fault (DESIGN §12), once no supervisor runs."""

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
from engine.project import caption_log
from engine.project.layout import Project
from tests.support.pictures import dry_run_caption
from tests.support.waiting import wait_for

GONE_SECONDS = 20.0


def check_invariants(
    project: Project, redone: Collection[int] | None = (), foreign: bool = False
) -> None:
    """Every record has one caption or one failure per model, on its own image; counters agree.

    `redone` are shards in which captions may lie twice, because a retry asked for them again;
    None means any. `foreign` lines may lie in the logs only where a test put them.
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
        path = project.log_file(models[task.model_id], task.shard)
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
            assert captioned_twice(path, task.count) == []
        for i, row in log.captions.items():
            assert row["raw"].startswith(dry_run_caption(root / images[i])), (path, i)
        for i, row in log.errors.items():
            assert row["error"] and row["detail"], (path, i)


def captioned_twice(log: Path, count: int) -> list[int]:
    """Records that were captioned more than once."""
    if not log.exists():
        return []
    rows = [caption_log.parse(line, count) for line in log.read_bytes().splitlines()]
    seen = Counter(row["i"] for row in rows if row is not None and "raw" in row)
    return [i for i, times in seen.items() if times > 1]


def wait_until_gone(project: Project) -> None:
    """Sooner than an orphan comes to the end of its work by itself."""
    wait_for(lambda: not left_over(project), GONE_SECONDS)


def left_over(project: Project) -> list[int]:
    """Processes whose stderr is one of the project's logs: its supervisors and workers."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            target = str((process / "fd/2").readlink())
        except OSError:
            continue
        if target.startswith(f"{project.logs}/") and int(process.name) != os.getpid():
            found.append(int(process.name))
    return found
