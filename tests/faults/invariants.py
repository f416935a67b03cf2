"""What must hold after any fault (DESIGN §12)."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import psutil

from db import progress, projects
from db.connect import reading
from engine import captionlog
from engine.project import Project
from tests.support import dry_run_caption, wait_for


def check_invariants(project: Project) -> None:
    """Every record has one caption or one failure per model, on its own image; counters agree."""
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
        log = captionlog.read(project.log_file(models[task.model_id], task.shard), task.count)
        assert log.foreign == 0
        if task.state == "done":
            assert set(log.captions) | set(log.errors) == set(range(task.count))
            assert (task.captioned, task.failed) == (len(log.captions), len(log.errors))
            assert task.digest == log.digest
            assert failures[task.id] == task.failed
        for i, row in log.captions.items():
            assert row["raw"].startswith(dry_run_caption(root / images[i]))
    wait_for(lambda: not left_over(project), timeout=5)


def left_over(project: Project) -> list[str]:
    """Processes that still speak of the project."""
    found = []
    for process in psutil.process_iter(["cmdline", "cwd"]):
        line = " ".join(process.info["cmdline"] or [])
        if "engine." in line and str(project.folder) in line:
            found.append(line)
    return found
