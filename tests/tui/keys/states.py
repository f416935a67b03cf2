"""States of the application for which its actions are asked whether they can work."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from db.failures import Cause, Occurrence
from db.rows import ModelRow, ProjectRow, SupervisorRow, TaskRow
from engine.project.layout import Project
from tests.support import canned_rows
from tui.session.session import Session
from tui.viewmodel.snapshot import DeviceView, ModelProgress, Snapshot

PROJECT = Project(Path("/p"))
MODEL = canned_rows.model_row(1, "otter")


def snapshot(captioned: int = 5, pending: int = 1, **changes: Any) -> Snapshot:
    """Return a snapshot of a project of one model and one pending task, with no run."""
    values: dict[str, Any] = {
        "taken_at": canned_rows.NOW,
        "folder": PROJECT.folder,
        "project": ProjectRow(uid="u", created=1.0, records=10, image_root="images"),
        "shards": 1,
        "records": 10,
        "tasks": {"pending": pending, "running": 0, "done": 0, "failed": 0, "skipped": 0},
        "models": (progress(MODEL, captioned),),
        "devices": (),
        "workers": (),
        "supervisor": None,
        "images_by_minute": (),
        "recent_rates": (),
        "events": (),
        "latest_sample": None,
    }
    return Snapshot(**(values | changes))


def progress(model: ModelRow, captioned: int) -> ModelProgress:
    left = 10 - captioned
    return ModelProgress(row=model, captioned=captioned, failed=0, total=10, left=left, rate=0.0)


def session(shown: Snapshot | None = None, **values: Any) -> Session:
    return Session(project=PROJECT, snapshot=shown, **values)


RUN: SupervisorRow = canned_rows.supervisor_row()
IDLE = session(snapshot())
RUNNING = session(snapshot(supervisor=RUN))
RESTING = DeviceView(replace(canned_rows.gpu_row(0), state="resting"), None, None)
TASK = TaskRow(id=1, shard=0, model_id=1, count=10)
CAUSE = Cause(scope="record", kind="decode", count=3, shards=1, models=("otter",), failed_at=1.0)
OCCURRENCE = Occurrence(
    task_id=1, shard=0, model_id=1, index=4, detail="", device=None, attempt=1, failed_at=1.0
)
