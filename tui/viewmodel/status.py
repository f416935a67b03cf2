"""A snapshot as the JSON object of `status --json`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tui.viewmodel.model_waiting import model_waits

if TYPE_CHECKING:
    from tui.viewmodel.snapshot import Snapshot


def status_dict(snapshot: Snapshot) -> dict[str, Any]:
    """Return the JSON object that `status --json` prints."""
    supervisor, elsewhere = snapshot.supervisor, snapshot.elsewhere
    finish_times = snapshot.finish_times
    return {
        "project": str(snapshot.folder),
        "state": snapshot.state,
        "images": snapshot.records,
        "failed_images": snapshot.failed_images.count,
        "failed_images_exact": snapshot.failed_images.exact,
        "eta_seconds": rounded(snapshot.eta),
        "shards": snapshot.shards,
        "tasks": dict(snapshot.tasks),
        "models": [
            {
                "name": model.row.name,
                "captioned": 0 if model.is_scorer else model.captioned,
                "failed": model.failed,
                "total": model.total,
                "images_per_second": round(model.rate, 3),
                "eta_seconds": rounded(finish_times.get(model.row.id)),
            }
            | ({"scored": model.captioned} if model.is_scorer else {})
            for model in snapshot.models
        ],
        "workers": [
            {
                "device": worker.row.device,
                "pid": worker.row.pid,
                "model": worker.model,
                "state": worker.row.state,
                "shard": None if worker.task is None else worker.task.shard,
                "images_per_second": round(worker.row.rate, 3),
                "image_wait": worker.row.image_wait,
            }
            for worker in snapshot.workers
        ],
        "devices": [
            {
                "id": view.row.id,
                "state": view.row.state,
                "utilisation": view.row.utilisation,
                "temperature": view.row.temperature,
                "power": view.row.power,
                "memory_used": view.row.memory_used,
                "memory_total": view.row.memory_total,
            }
            for view in snapshot.devices
        ],
        "host": None if snapshot.host is None else asdict(snapshot.host),
        "supervisor": None if supervisor is None else {"pid": supervisor.pid},
        "elsewhere": None if elsewhere is None else {"host": elsewhere.host, "pid": elsewhere.pid},
        "killed_at": snapshot.killed_at if snapshot.state == "killed" else None,
        "pause_reason": snapshot.project.pause_reason,
        "waits": [
            {"model": wait.model.name, "tasks": wait.tasks, "reason": wait.reason}
            for wait in model_waits(snapshot).values()
        ],
    }


def rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)
