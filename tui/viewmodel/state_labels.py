"""The words that stand for states on every screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tui.viewmodel.snapshot import DeviceView, Snapshot

WORKER = {
    "starting": "START",
    "loading": "LOAD",
    "captioning": "RUN",
    "idle": "IDLE",
    "stopping": "STOP",
}
PROJECT = {"idle": "IDLE", "running": "RUN", "paused": "PAUSED", "finished": "FINISHED"}
LEVEL = {"info": "INFO", "warn": "WARN", "fail": "FAIL"}


def device(view: DeviceView) -> str:
    """`-` where no worker lives on it and nothing is wrong with it."""
    if view.worker is not None:
        return WORKER[view.worker.row.state]
    return {"ready": "-", "resting": "REST", "lost": "LOST"}[view.row.state]


def project(snapshot: Snapshot) -> str:
    if snapshot.supervisor is not None and snapshot.supervisor.stopping:
        return "STOPPING"
    return PROJECT[snapshot.state]
