"""Why pending tasks do not start: a function of what is known about tasks, models and devices.

The supervisor asks it about its run and logs what is new (`engine.supervisor.wait_reporter`);
`status` and the application ask it about what the database holds.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from typing import Literal

from db.rows import DeviceRow, ModelRow
from engine.state.policy import Policy
from engine.utils.plurals import plural

Obstacle = Literal[
    "captions",
    "health",
    "server",
    "strike",
    "no_device",
    "lost",
    "resting",
    "pinned",
    "pinned_busy",
    "load",
    "slot",
]
"""What keeps pending tasks from starting.

- `captions`: a scorer's shards are still captioned by other models.
- `health`: the model was stopped for the health of its captions, until a person says so.
- `server`: the model's server does not answer, and is asked again at a set time.
- `strike`: every task has a strike, and may start again at a set time.
- `no_device`: the run has no device.
- `lost`, `resting`: a device is lost, or rests after failures.
- `pinned`, `pinned_busy`: a person pinned a device to another model, which cannot go on, or can.
- `load`: a device had no room for the model or failed to load it, and tries again at a set time.
- `slot`: a worker waits until its cluster has room for it.
"""
NAMED_DEVICES = 3
"""The most devices that a reason names, so that it stays a line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelWork:
    """The tasks of one model that are not over."""

    model: ModelRow
    pending: int
    """Number of its pending tasks."""
    running: int
    """Number of its running tasks."""
    waiting_for_captions: int = 0
    """How many of the pending tasks are a scorer's whose shards are still captioned."""
    due_at: float = 0.0
    """When the first of the pending tasks may start, in seconds since the epoch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitFacts:
    """What is known of a run that is neither paused nor about to stop."""

    now: float
    """Seconds since the epoch."""
    folder: Path
    """The project's folder, for the commands that are named."""
    work: Sequence[ModelWork]
    devices: Sequence[DeviceRow]
    load_at: Mapping[tuple[str, int], float] = field(default_factory=dict)
    """When a device may load a model again, in seconds since the epoch, by (device id, model id);
    only the supervisor knows."""
    slotless: Set[str] = frozenset()
    """Ids of devices whose worker waits for a slot; only the supervisor knows."""


@dataclass(frozen=True, slots=True)
class Wait:
    """The pending tasks of one model, none of which can start now on any device."""

    model: ModelRow
    tasks: int
    reason: str
    """Why, until when if that is known, and what a person can do."""
    obstacles: frozenset[Obstacle]

    @property
    def text(self) -> str:
        """The whole as a line for people."""
        return f"{plural(self.tasks, 'task')} of {self.model.name} {self.verb}: {self.reason}"

    @property
    def short_text(self) -> str:
        """The same without the model's name."""
        return f"{plural(self.tasks, 'task')} {self.verb}: {self.reason}"

    @property
    def verb(self) -> str:
        return "waits" if self.tasks == 1 else "wait"


def find_waits(facts: WaitFacts, policy: Policy) -> tuple[Wait, ...]:
    """Return the models whose pending tasks can start on no device now, each with the reasons.

    Tasks whose turn comes once a device has done its present work are not among them, nor are those
    of a blocked model, which fail.
    """
    found = (find_wait(work, facts, policy) for work in facts.work)
    return tuple(wait for wait in found if wait is not None)


def find_wait(work: ModelWork, facts: WaitFacts, policy: Policy) -> Wait | None:
    """Return why the model's pending tasks do not start; None if there are none, or if they do."""
    model = work.model
    if not work.pending or work.running or model.blocked:
        return None

    def wait(reason: str, *obstacles: Obstacle) -> Wait:
        return Wait(model, work.pending, reason, frozenset(obstacles))

    if model.health_stop:
        how = f"'mllmaug-tui resume {quote(str(facts.folder))}' lets it go on"
        return wait(f"it was stopped, since {model.health_stop} ({how})", "health")
    if work.waiting_for_captions == work.pending:
        return wait("their shards are still captioned", "captions")
    # A time further away than any wait means that the clock was set back.
    if facts.now < model.not_before <= facts.now + policy.longest_wait:
        text = f"its server is asked again at {clock(model.not_before)} ({model.unavailable})"
        return wait(text, "server")
    if facts.now < work.due_at <= facts.now + policy.longest_delay:
        return wait(f"after a failed attempt, until {clock(work.due_at)}", "strike")
    if not facts.devices:
        return wait("the run has no device; it waits for nodes", "no_device")
    met: dict[tuple[Obstacle, int | None], list[DeviceRow]] = {}
    for device in facts.devices:
        obstacle = obstacle_of(device, model, facts)
        if obstacle is None:
            return None
        other = device.pinned_model_id if obstacle in ("pinned", "pinned_busy") else None
        met.setdefault((obstacle, other), []).append(device)
    reasons = [
        describe(obstacle, devices, model, other, facts)
        for (obstacle, other), devices in met.items()
    ]
    return wait("; ".join(reasons), *(obstacle for obstacle, _ in met))


def obstacle_of(device: DeviceRow, model: ModelRow, facts: WaitFacts) -> Obstacle | None:
    """Return what keeps the device from the model's tasks; None if it does, or will take them."""
    if device.pinned_model_id not in (None, model.id):
        return "pinned_busy" if can_go_on(device.pinned_model_id, facts) else "pinned"
    if device.state != "ready":
        return device.state
    if device.id in facts.slotless:
        return "slot"
    if facts.load_at.get((device.id, model.id), 0.0) > facts.now:
        return "load"
    return None


def describe(
    obstacle: Obstacle,
    devices: Sequence[DeviceRow],
    model: ModelRow,
    pinned_model_id: int | None,
    facts: WaitFacts,
) -> str:
    """Return the reason that some devices have in common."""
    names = name_devices(devices)
    verb = "is" if len(devices) == 1 else "are"
    device, folder = quote(devices[0].id), quote(str(facts.folder))
    match obstacle:
        case "pinned" | "pinned_busy":
            other = describe_pin(pinned_model_id, facts)
            return f"{names} {verb} pinned to {other} ('mllmaug-tui unpin {folder} {device}')"
        case "lost":
            return f"{names} {verb} lost ('mllmaug-tui wake {folder} {device}' tries it again)"
        case "resting":
            until = clock(min(each.rest_until for each in devices))
            return f"{names} {verb} resting after failures, until {until}"
        case "load":
            at = clock(min(facts.load_at[each.id, model.id] for each in devices))
            return f"{names} may load it again at {at}"
    return f"{names} {verb} waiting for a slot in the cluster"


def can_go_on(model_id: int | None, facts: WaitFacts) -> bool:
    """Return True if the model has tasks that run or that its server and its load do not stop."""
    work = work_of(model_id, facts)
    if work is None or work.model.blocked:
        return False
    return bool(work.running or (work.pending and work.model.not_before <= facts.now))


def work_of(model_id: int | None, facts: WaitFacts) -> ModelWork | None:
    """Return the work of the model with this id; None if the project does not have it."""
    return next((work for work in facts.work if work.model.id == model_id), None)


def describe_pin(model_id: int | None, facts: WaitFacts) -> str:
    """Return the name of the model to which a device is pinned, and how it stands."""
    work = work_of(model_id, facts)
    if work is None:
        return "a model that the project does not have"
    name = work.model.name
    if work.model.blocked:
        return f"{name}, which cannot be loaded"
    if not work.pending and not work.running:
        return f"{name}, which is finished"
    if work.model.not_before > facts.now:
        return f"{name}, which waits for its server"
    return f"{name}, which has work left"


def name_devices(devices: Sequence[DeviceRow]) -> str:
    """Return the ids of devices, of many the first ones and how many there are besides."""
    named = ", ".join(device.id for device in devices[:NAMED_DEVICES])
    more = len(devices) - NAMED_DEVICES
    return f"{named} and {more} more" if more > 0 else named


def clock(epoch: float) -> str:
    """Return the time of day, on this machine, of an instant since the epoch."""
    return time.strftime("%H:%M:%S", time.localtime(epoch))
