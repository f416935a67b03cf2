"""The words that stand for states on every screen, each with a colour of the theme.

The colour repeats what the word says and never says anything alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

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

STYLES = {
    "RUN": "$text-primary",
    "DONE": "$text-success",
    "FINISHED": "$text-success",
    "FAIL": "$text-error",
    "LOST": "$text-error",
    "WARN": "$text-warning",
    "PAUSED": "$text-warning",
    "REST": "$text-warning",
    "STOP": "$text-warning",
    "STOPPING": "$text-warning",
    "LOAD": "$text-secondary",
    "START": "$text-secondary",
    "WAIT": "$foreground-muted",
    "SKIP": "$foreground-muted",
    "IDLE": "$foreground-muted",
}


def styled(word: str, width: int = 0) -> Content:
    return Content.styled(word.ljust(width), STYLES.get(word, ""))


def device(view: DeviceView) -> str:
    """`-` where no worker lives on it and nothing is wrong with it."""
    if view.worker is not None:
        return WORKER[view.worker.row.state]
    return {"ready": "-", "resting": "REST", "lost": "LOST"}[view.row.state]


def project(snapshot: Snapshot) -> str:
    if snapshot.supervisor is not None and snapshot.supervisor.stopping:
        return "STOPPING"
    return PROJECT[snapshot.state]
