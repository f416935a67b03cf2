"""What people ask of a project, carried out in the books: pause, retry, skip, set, pin, ...

The supervisor does it between two ticks; when none runs, the command that asks does it itself
under the project's lock. One code for both.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Literal, Protocol

from db import requests
from db.connection import reading
from db.rows import DeviceRow, RequestRow
from engine.captioners.registry import ModelChoice
from engine.images.image import ImagePaths, exists
from engine.images.missing_root import MOUNTED
from engine.requests.exclude import exclude, excluded
from engine.requests.flag import flag
from engine.requests.models import add_model, configure
from engine.state.model_backoff import wake as ask_again
from engine.state.project_state import ProjectState
from engine.utils.errors import BadInput, Refused
from engine.utils.plurals import plural

State = Literal["done", "refused"]


class Devices(Protocol):
    """The devices of the run, by id."""

    devices: dict[str, DeviceRow]

    def pin(self, device_id: str, model_id: int | None) -> None: ...

    def wake(self, device_id: str) -> None: ...


class RunningSupervisor(Protocol):
    """What only a running supervisor can do."""

    def stop(self, after_shard: bool = False) -> None: ...

    def paused(self) -> None: ...

    def take_back(self, task_id: int) -> None: ...

    def forget_witness(self) -> None: ...

    @property
    def device_pool(self) -> Devices: ...


OUTLIVING_KINDS = ("retry", "skip", "flag")
"""Requests that do not speak of the run that was on when they were made."""


def answer_leftovers(project_state: ProjectState) -> None:
    """What an earlier run did not come to: a stop must not end the next one."""
    with reading(project_state.project.database) as connection:
        waiting = requests.pending(connection)
    for request in waiting:
        if request.kind in OUTLIVING_KINDS:
            state, note = handle_request(project_state, request, None)
        else:
            state, note = "refused", "the run has ended"
        project_state.answers.append((request.id, state, note))


def handle_request(
    project_state: ProjectState, request: RequestRow, live: RunningSupervisor | None
) -> tuple[State, str]:
    """The request's answer, in words."""
    try:
        return "done", dispatch(project_state, request.kind, request.payload, live)
    except (Refused, BadInput) as refused:
        return "refused", str(refused)
    except (KeyError, TypeError, ValueError) as error:
        return "refused", f"a request that makes no sense: {request.kind} ({error!r})"


def dispatch(
    project_state: ProjectState, kind: str, payload: dict[str, Any], live: RunningSupervisor | None
) -> str:
    """Raises `Refused`."""
    match kind:
        case "pause":
            return pause(project_state, live)
        case "resume":
            return resume(project_state, live)
        case "stop":
            return stop(project_state, bool(payload.get("after_shard")), live)
        case "retry":
            return retry(project_state, payload["tasks"], bool(payload.get("failed_items")))
        case "skip":
            return skip(project_state, payload["tasks"], bool(payload.get("skip", True)))
        case "priority":
            return prioritise(project_state, payload["tasks"], int(payload["by"]))
        case "exclude":
            chosen = [(int(task), records) for task, records in payload["records"]]
            take_back = None if live is None else live.take_back
            out = bool(payload.get("exclude", True))
            return exclude(project_state, chosen, payload.get("failed_as"), out, take_back).note()
        case "flag":
            return flag(project_state, payload["places"], payload["flagged"])
        case "pin":
            return pin(project_state, payload["device"], payload.get("model"), live)
        case "wake":
            return wake(payload["device"], live)
        case "set":
            return configure(project_state, payload["model"], payload["changes"], live is not None)
        case "add_model":
            return add_model(project_state, ModelChoice(**payload["choice"]), live is not None)
    raise Refused(f"unknown request {kind!r}")


def pause(project_state: ProjectState, live: RunningSupervisor | None) -> str:
    if project_state.settings.paused:
        return "it is paused already"
    project_state.pause(None)
    project_state.event("info", "paused by the user")
    if live is not None:
        live.paused()
    return "paused"


def resume(project_state: ProjectState, live: RunningSupervisor | None) -> str:
    """After a lost image root whose witness is still gone this also says: go on all the same."""
    woken = ask_again(project_state)
    if not project_state.settings.paused:
        if not woken:
            return "it is not paused"
        project_state.event("info", f"asked again by the user: {', '.join(woken)}")
        return f"it is not paused; asks {', '.join(woken)} again"
    lost_root = (project_state.settings.pause_reason or "").endswith(MOUNTED)
    project_state.resume()
    if lost_root and not witness_found(project_state):
        project_state.forget_witness()
        if live is not None:
            live.forget_witness()
    project_state.event("info", "resumed by the user")
    return "resumed"


def witness_found(project_state: ProjectState) -> bool:
    settings = project_state.settings
    root = str(project_state.project.image_root(settings))
    paths = ImagePaths(root, settings.path_map, settings.allow_outside)
    return settings.witness is not None and exists(paths, settings.witness)


def stop(project_state: ProjectState, after_shard: bool, live: RunningSupervisor | None) -> str:
    if live is None:
        return "nothing is running"
    live.stop(after_shard)
    project_state.event(
        "info", f"stop asked for{' after the running shards' if after_shard else ''}"
    )
    return "stops after the running shards" if after_shard else "stopped"


def retry(project_state: ProjectState, task_ids: Iterable[int], failed_items: bool) -> str:
    now = time.time()
    wanted = list(dict.fromkeys(task_ids))
    off = excluded(project_state, wanted)
    retried = [t for t in wanted if project_state.ledger.retry(t, now, failed_items, off.get(t, 0))]
    if not retried:
        what = "failed records" if failed_items else "tasks that are not running"
        return f"nothing to retry: no {what} among the {plural(len(wanted), 'task')} chosen"
    for model_id in {project_state.ledger[t].model_id for t in retried}:
        model = project_state.models[model_id]
        if model.blocked or model.not_before:
            project_state.save_model(replace(model, blocked=None, load_failures=0, not_before=0.0))
    what = "the failed records of " if failed_items else ""
    text = f"retry of {what}{plural(len(retried), 'task')}"
    project_state.event("info", f"{text}: {named(project_state, retried)}")
    left = len(wanted) - len(retried)
    return text + (f"; {left} left as they are (running, or nothing failed)" if left else "")


def named(project_state: ProjectState, task_ids: list[int]) -> str:
    """The first few tasks by shard and model."""
    tasks = [project_state.ledger[task_id] for task_id in task_ids]
    names = [f"{task.shard:05} {project_state.models[task.model_id].name}" for task in tasks[:5]]
    return ", ".join(names) + (", ..." if len(tasks) > 5 else "")


def skip(project_state: ProjectState, task_ids: Iterable[int], skip: bool) -> str:
    now = time.time()
    changed = [t for t in task_ids if project_state.ledger.skip(t, now, skip)]
    if not changed:
        return "nothing to skip" if skip else "nothing is skipped among the chosen"
    text = f"{'skipped' if skip else 'no longer skipped'}: {plural(len(changed), 'task')}"
    project_state.event("info", f"{text}: {named(project_state, changed)}")
    return text


def prioritise(project_state: ProjectState, task_ids: Iterable[int], by: int) -> str:
    now = time.time()
    wanted = list(dict.fromkeys(task_ids))
    moved = [t for t in wanted if project_state.ledger.prioritise(t, now, by)]
    if not moved:
        raise Refused("only tasks that wait have a priority")
    priorities = sorted({project_state.ledger[task].priority for task in moved})
    left = f"; {len(wanted) - len(moved)} do not wait" if len(moved) < len(wanted) else ""
    return f"priority {', '.join(map(str, priorities))}: {named(project_state, moved)}{left}"


def pin(
    project_state: ProjectState, device: str, name: str | None, live: RunningSupervisor | None
) -> str:
    model = None if name is None else project_state.model_named(name)
    if name is not None and model is None:
        raise Refused(f"the project has no model {name!r}")
    if live is None:
        raise Refused("nothing is running: pin a device while it works")
    try:
        live.device_pool.pin(device, model.id if model else None)
    except KeyError:
        raise no_device(device, live) from None
    return f"{device} now works on {name}" if name else f"{device} takes any model"


def wake(device: str, live: RunningSupervisor | None) -> str:
    if live is None:
        raise Refused("nothing is running")
    try:
        live.device_pool.wake(device)
    except KeyError:
        raise no_device(device, live) from None
    return f"{device} is awake"


def no_device(device: str, live: RunningSupervisor) -> Refused:
    return Refused(
        f"the run has no device {device!r}: it has {', '.join(live.device_pool.devices)}"
    )
