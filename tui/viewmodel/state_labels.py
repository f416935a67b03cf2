"""The labels that stand for states on every screen; `tui.formatting.content` colours them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tui.viewmodel.snapshot import DeviceView, Snapshot

TASK_LABELS = {
    "pending": "WAIT",
    "running": "RUN",
    "done": "DONE",
    "failed": "FAIL",
    "skipped": "SKIP",
}
"""The labels of `db.rows.TaskState`; a filter takes them too (`db.task_pages.STATE_ALIASES`)."""
WORKER_LABELS = {
    "starting": "START",
    "loading": "LOAD",
    "captioning": "RUN",
    "idle": "IDLE",
    "stopping": "STOP",
}
"""The labels of `db.rows.WorkerStatus`."""
PROJECT_LABELS = {
    "idle": "IDLE",
    "running": "RUN",
    "paused": "PAUSED",
    "killed": "KILLED",
    "finished": "FINISHED",
}
"""The labels of `tui.viewmodel.snapshot.ProjectStatus`."""
LEVEL_LABELS = {"info": "INFO", "warn": "WARN", "fail": "FAIL"}
"""The labels of `db.rows.EventLevel`, the levels of events."""


def device_label(view: DeviceView) -> str:
    """Return the label of the device's worker, else of the device; `-` if it is just free."""
    if view.worker is not None:
        return WORKER_LABELS[view.worker.row.state]
    return {"ready": "-", "resting": "REST", "lost": "LOST"}[view.row.state]


def project_label(snapshot: Snapshot) -> str:
    """Return the label of the project's state; `STOPPING` while its run comes to an end."""
    if snapshot.supervisor is not None and snapshot.supervisor.stopping:
        return "STOPPING"
    return PROJECT_LABELS[snapshot.state]
