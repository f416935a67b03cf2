"""The texts for models whose tasks wait: for their server, for a device, for a person."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from db.rows import ModelRow
from engine.state.policy import Policy
from engine.state.waiting import ModelWork, Wait, WaitFacts, clock, find_waits

if TYPE_CHECKING:
    from tui.viewmodel.snapshot import ModelProgress, Snapshot

BUSY = ("starting", "loading", "captioning")
"""States of workers that are at work."""


def describe_wait(model: ModelRow) -> str | None:
    """Return until when the model waits, and why; None if its server answers."""
    if model.unavailable is None:
        return None
    until = time.strftime("%H:%M:%S", time.localtime(model.not_before))
    state = f"waits until {until}" if model.not_before > time.time() else "is asked again"
    return f"{state}: {model.unavailable}"


def is_under_way(snapshot: Snapshot) -> bool:
    """Return True if a run starts tasks: it is alive, not paused, and was not asked to stop."""
    supervisor = snapshot.supervisor
    return supervisor is not None and not supervisor.stopping and not snapshot.project.paused


def model_waits(snapshot: Snapshot, policy: Policy | None = None) -> dict[int, Wait]:
    """Return, by model id, why the pending tasks of models do not start on any device.

    Models whose server does not answer are left to `describe_wait`.
    """
    if not is_under_way(snapshot):
        return {}
    policy = policy or Policy()
    facts = WaitFacts(
        now=snapshot.taken_at,
        folder=snapshot.folder,
        work=[
            ModelWork(
                model=model.row,
                pending=model.pending,
                running=model.running,
                waiting_for_captions=model.waiting_for_captions,
                due_at=model.due_at,
            )
            for model in snapshot.models
        ],
        devices=[view.row for view in snapshot.devices],
    )
    waits = {wait.model.id: wait for wait in find_waits(facts, policy)}
    for model in snapshot.models:
        if model.row.id not in waits and (wait := last_trouble(model, snapshot, policy)):
            waits[model.row.id] = wait
    return {key: wait for key, wait in waits.items() if wait.model.unavailable is None}


def last_trouble(model: ModelProgress, snapshot: Snapshot, policy: Policy) -> Wait | None:
    """Return the wait of a model that no device works on although one is free; else None.

    Only the supervisor knows when that device may load the model again: the event in which it said
    so is the reason.
    """
    if not model.pending or model.running or model.row.blocked:
        return None
    free = any(
        view.row.state == "ready" and (view.worker is None or view.worker.row.state not in BUSY)
        for view in snapshot.devices
    )
    event = next((e for e in snapshot.events if e.model == model.row.name), None)
    if not free or event is None or event.level == "info":
        return None
    if snapshot.taken_at - event.created > policy.longest_delay:
        return None
    reason = f"{clock(event.created)} {event.text}"
    return Wait(model.row, model.pending, reason, frozenset({"load"}))
