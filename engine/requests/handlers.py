"""Requests of people, carried out on the project's state: pause, retry, skip, set, pin, ...

The supervisor does it between two turns of its loop; where none runs, the command that makes the
request does it itself under the project's lock. Both call `handle_request`.
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
from engine.images.image import ImagePaths, image_exists
from engine.images.missing_root import ROOT_LOST_SUFFIX
from engine.requests.exclude import exclude, excluded_counts
from engine.requests.flag import flag
from engine.requests.models import add_model, configure
from engine.state.model_backoff import wake_models
from engine.state.project_state import ProjectState
from engine.utils.errors import BadInput, RequestRefused
from engine.utils.plurals import plural

AnswerState = Literal["done", "refused"]
"""How a request was answered: the `state` of its row."""


class RunDevices(Protocol):
    """The devices of a run, as far as requests change them."""

    devices: dict[str, DeviceRow]
    """The devices by id."""

    def pin(self, device_id: str, model_id: int | None) -> None:
        """Have the device work on this model only, or on any with None. Raises `KeyError`."""

    def wake(self, device_id: str) -> None:
        """Make the device ready, whatever its state. Raises `KeyError`."""


class RunningSupervisor(Protocol):
    """The part of requests that only a running supervisor can do."""

    def stop(self, after_shard: bool = False) -> None:
        """End the run, now or after the running shards."""

    def on_paused(self) -> None:
        """Take all tasks back from the workers."""

    def cancel_task(self, task_id: int) -> None:
        """Take one task back from its worker, if one has it."""

    def forget_witness(self) -> None:
        """Have the workers probe for missing images with the image root alone."""

    @property
    def device_pool(self) -> RunDevices:
        """The run's devices."""


OUTLIVING_KINDS = ("retry", "skip", "flag")
"""Kinds of requests that stay valid after the run during which they were made has ended."""


def answer_leftovers(project_state: ProjectState) -> None:
    """Answer the requests that an earlier run did not come to.

    Only `OUTLIVING_KINDS` are carried out: an old stop, for one, must not end this run.
    """
    with reading(project_state.project.database) as connection:
        waiting = requests.pending(connection)
    for request in waiting:
        if request.kind in OUTLIVING_KINDS:
            state, note = handle_request(project_state, request, None)
        else:
            state, note = "refused", "the run has ended"
        project_state.answers.append((request.id, state, note))


def handle_request(
    project_state: ProjectState, request: RequestRow, supervisor: RunningSupervisor | None
) -> tuple[AnswerState, str]:
    """Carry out a request. Returns how it was answered, and the answer as text.

    `supervisor` is None if none runs.
    """
    try:
        return "done", dispatch(project_state, request.kind, request.payload, supervisor)
    except (RequestRefused, BadInput) as refused:
        return "refused", str(refused)
    except (KeyError, TypeError, ValueError) as error:
        return "refused", f"a request that makes no sense: {request.kind} ({error!r})"


def dispatch(
    project_state: ProjectState,
    kind: str,
    payload: dict[str, Any],
    supervisor: RunningSupervisor | None,
) -> str:
    """Call the handler of the request's kind and return its answer.

    Raises `RequestRefused`, `BadInput`, and `KeyError`, `TypeError` or `ValueError` for a payload
    that does not fit the kind.
    """
    match kind:
        case "pause":
            return pause(project_state, supervisor)
        case "resume":
            return resume(project_state, supervisor)
        case "stop":
            return stop(project_state, bool(payload.get("after_shard")), supervisor)
        case "retry":
            return retry(project_state, payload["tasks"], bool(payload.get("failed_items")))
        case "skip":
            return skip(project_state, payload["tasks"], bool(payload.get("skip", True)))
        case "priority":
            return prioritise(project_state, payload["tasks"], int(payload["by"]))
        case "exclude":
            chosen = [(int(task), records) for task, records in payload["records"]]
            result = exclude(
                project_state,
                chosen,
                kind=payload.get("failed_as"),
                exclude=bool(payload.get("exclude", True)),
                cancel_task=None if supervisor is None else supervisor.cancel_task,
            )
            return result.to_note()
        case "flag":
            return flag(project_state, payload["places"], payload["flagged"])
        case "pin":
            return pin(project_state, payload["device"], payload.get("model"), supervisor)
        case "wake":
            return wake_device(payload["device"], supervisor)
        case "set":
            return configure(
                project_state,
                payload["model"],
                payload["changes"],
                running=supervisor is not None,
            )
        case "add_model":
            return add_model(
                project_state,
                ModelChoice(**payload["choice"]),
                running=supervisor is not None,
            )
    raise RequestRefused(f"unknown request {kind!r}")


def pause(project_state: ProjectState, supervisor: RunningSupervisor | None) -> str:
    """Pause the run, or have the next run begin paused."""
    if project_state.settings.paused:
        return "it is paused already"
    project_state.pause(None)
    project_state.event("info", "paused by the user")
    if supervisor is not None:
        supervisor.on_paused()
    return "paused"


def resume(project_state: ProjectState, supervisor: RunningSupervisor | None) -> str:
    """Let the run go on, and have models that wait for their server ask again at once.

    After a pause for a lost image root whose witness image is still gone, this also means: go on
    without that image, and probe the root alone.
    """
    woken = wake_models(project_state)
    if not project_state.settings.paused:
        if not woken:
            return "it is not paused"
        project_state.event("info", f"asked again by the user: {', '.join(woken)}")
        return f"it is not paused; asks {', '.join(woken)} again"
    lost_root = (project_state.settings.pause_reason or "").endswith(ROOT_LOST_SUFFIX)
    project_state.resume()
    if lost_root and not witness_exists(project_state):
        project_state.forget_witness()
        if supervisor is not None:
            supervisor.forget_witness()
    project_state.event("info", "resumed by the user")
    return "resumed"


def witness_exists(project_state: ProjectState) -> bool:
    """Return True if the project has a witness image and that image is where it was."""
    settings = project_state.settings
    root = str(project_state.project.image_root(settings))
    paths = ImagePaths(root, settings.path_map, settings.allow_outside)
    return settings.witness is not None and image_exists(paths, settings.witness)


def stop(
    project_state: ProjectState, after_shard: bool, supervisor: RunningSupervisor | None
) -> str:
    """End the run, now or after the running shards."""
    if supervisor is None:
        return "nothing is running"
    supervisor.stop(after_shard)
    project_state.event(
        "info", f"stop asked for{' after the running shards' if after_shard else ''}"
    )
    return "stops after the running shards" if after_shard else "stopped"


def retry(project_state: ProjectState, task_ids: Iterable[int], failed_items: bool) -> str:
    """Ask for whole shards again, or with `failed_items` for their failed records.

    Blocked and waiting models of these tasks are tried again at once.
    """
    now = time.time()
    requested = list(dict.fromkeys(task_ids))
    excluded = excluded_counts(project_state, requested)
    retried = [
        task_id
        for task_id in requested
        if project_state.ledger.retry(task_id, now, failed_items, excluded.get(task_id, 0))
    ]
    if not retried:
        what = "failed records" if failed_items else "tasks that are not running"
        return f"nothing to retry: no {what} among the {plural(len(requested), 'task')} chosen"
    for model_id in {project_state.ledger[t].model_id for t in retried}:
        model = project_state.models[model_id]
        if model.blocked or model.not_before:
            project_state.save_model(replace(model, blocked=None, load_failures=0, not_before=0.0))
    what = "the failed records of " if failed_items else ""
    text = f"retry of {what}{plural(len(retried), 'task')}"
    project_state.event("info", f"{text}: {name_tasks(project_state, retried)}")
    left = len(requested) - len(retried)
    return text + (f"; {left} left as they are (running, or nothing failed)" if left else "")


def name_tasks(project_state: ProjectState, task_ids: list[int]) -> str:
    """Return the first few tasks as text, by shard and model."""
    tasks = [project_state.ledger[task_id] for task_id in task_ids]
    names = [f"{task.shard:05} {project_state.models[task.model_id].name}" for task in tasks[:5]]
    return ", ".join(names) + (", ..." if len(tasks) > 5 else "")


def skip(project_state: ProjectState, task_ids: Iterable[int], skip: bool) -> str:
    """Leave tasks out, or no longer leave them out if `skip` is False."""
    now = time.time()
    changed = [t for t in task_ids if project_state.ledger.skip(t, now, skip)]
    if not changed:
        return "nothing to skip" if skip else "nothing is skipped among the chosen"
    text = f"{'skipped' if skip else 'no longer skipped'}: {plural(len(changed), 'task')}"
    project_state.event("info", f"{text}: {name_tasks(project_state, changed)}")
    return text


def prioritise(project_state: ProjectState, task_ids: Iterable[int], by: int) -> str:
    """Have pending tasks start sooner, or later if `by` is negative. Raises `RequestRefused`."""
    now = time.time()
    requested = list(dict.fromkeys(task_ids))
    moved = [t for t in requested if project_state.ledger.prioritise(t, now, by)]
    if not moved:
        raise RequestRefused("only tasks that wait have a priority")
    priorities = sorted({project_state.ledger[task].priority for task in moved})
    left = f"; {len(requested) - len(moved)} do not wait" if len(moved) < len(requested) else ""
    return f"priority {', '.join(map(str, priorities))}: {name_tasks(project_state, moved)}{left}"


def pin(
    project_state: ProjectState,
    device: str,
    name: str | None,
    supervisor: RunningSupervisor | None,
) -> str:
    """Pin a device to the model of that name, or unpin it with None. Raises `RequestRefused`."""
    model = None if name is None else project_state.model_named(name)
    if name is not None and model is None:
        raise RequestRefused(f"the project has no model {name!r}")
    if supervisor is None:
        raise RequestRefused("nothing is running: pin a device while it works")
    try:
        supervisor.device_pool.pin(device, model.id if model else None)
    except KeyError:
        raise no_device(device, supervisor) from None
    return f"{device} now works on {name}" if name else f"{device} takes any model"


def wake_device(device: str, supervisor: RunningSupervisor | None) -> str:
    """Make a device that rests ready. Raises `RequestRefused`."""
    if supervisor is None:
        raise RequestRefused("nothing is running")
    try:
        supervisor.device_pool.wake(device)
    except KeyError:
        raise no_device(device, supervisor) from None
    return f"{device} is awake"


def no_device(device: str, supervisor: RunningSupervisor) -> RequestRefused:
    """Return the refusal for a device that the run does not have."""
    return RequestRefused(
        f"the run has no device {device!r}: it has {', '.join(supervisor.device_pool.devices)}"
    )
