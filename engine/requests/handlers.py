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
from engine.state.project_state import Books
from engine.utils.errors import BadInput, Refused
from engine.utils.plurals import plural

State = Literal["done", "refused"]


class Devices(Protocol):
    """The devices of the run, by id."""

    devices: dict[str, DeviceRow]

    def pin(self, device_id: str, model_id: int | None) -> None: ...

    def wake(self, device_id: str) -> None: ...


class Live(Protocol):
    """What only a running supervisor can do."""

    def stop(self, after_shard: bool = False) -> None: ...

    def paused(self) -> None: ...

    def take_back(self, task_id: int) -> None: ...

    def forget_witness(self) -> None: ...

    @property
    def fleet(self) -> Devices: ...


OUTLIVE = ("retry", "skip", "flag")
"""Requests that do not speak of the run that was on when they were made."""


def answer_leftovers(books: Books) -> None:
    """What an earlier run did not come to: a stop must not end the next one."""
    with reading(books.project.database) as connection:
        waiting = requests.pending(connection)
    for request in waiting:
        if request.kind in OUTLIVE:
            state, note = carry_out(books, request, None)
        else:
            state, note = "refused", "the run has ended"
        books.answers.append((request.id, state, note))


def carry_out(books: Books, request: RequestRow, live: Live | None) -> tuple[State, str]:
    """The request's answer, in words."""
    try:
        return "done", perform(books, request.kind, request.payload, live)
    except (Refused, BadInput) as refused:
        return "refused", str(refused)
    except (KeyError, TypeError, ValueError) as error:
        return "refused", f"a request that makes no sense: {request.kind} ({error!r})"


def perform(books: Books, kind: str, payload: dict[str, Any], live: Live | None) -> str:
    """Raises `Refused`."""
    match kind:
        case "pause":
            return pause(books, live)
        case "resume":
            return resume(books, live)
        case "stop":
            return stop(books, bool(payload.get("after_shard")), live)
        case "retry":
            return retry(books, payload["tasks"], bool(payload.get("failed_items")))
        case "skip":
            return skip(books, payload["tasks"], bool(payload.get("skip", True)))
        case "priority":
            return prioritise(books, payload["tasks"], int(payload["by"]))
        case "exclude":
            chosen = [(int(task), records) for task, records in payload["records"]]
            take_back = None if live is None else live.take_back
            out = bool(payload.get("exclude", True))
            return exclude(books, chosen, payload.get("failed_as"), out, take_back).note()
        case "flag":
            return flag(books, payload["places"], payload["flagged"])
        case "pin":
            return pin(books, payload["device"], payload.get("model"), live)
        case "wake":
            return wake(payload["device"], live)
        case "set":
            return configure(books, payload["model"], payload["changes"], live is not None)
        case "add_model":
            return add_model(books, ModelChoice(**payload["choice"]), live is not None)
    raise Refused(f"unknown request {kind!r}")


def pause(books: Books, live: Live | None) -> str:
    if books.settings.paused:
        return "it is paused already"
    books.pause(None)
    books.event("info", "paused by the user")
    if live is not None:
        live.paused()
    return "paused"


def resume(books: Books, live: Live | None) -> str:
    """After a lost image root whose witness is still gone this also says: go on all the same."""
    woken = ask_again(books)
    if not books.settings.paused:
        if not woken:
            return "it is not paused"
        books.event("info", f"asked again by the user: {', '.join(woken)}")
        return f"it is not paused; asks {', '.join(woken)} again"
    lost_root = (books.settings.pause_reason or "").endswith(MOUNTED)
    books.resume()
    if lost_root and not witness_found(books):
        books.forget_witness()
        if live is not None:
            live.forget_witness()
    books.event("info", "resumed by the user")
    return "resumed"


def witness_found(books: Books) -> bool:
    settings = books.settings
    root = str(books.project.image_root(settings))
    paths = ImagePaths(root, settings.path_map, settings.allow_outside)
    return settings.witness is not None and exists(paths, settings.witness)


def stop(books: Books, after_shard: bool, live: Live | None) -> str:
    if live is None:
        return "nothing is running"
    live.stop(after_shard)
    books.event("info", f"stop asked for{' after the running shards' if after_shard else ''}")
    return "stops after the running shards" if after_shard else "stopped"


def retry(books: Books, task_ids: Iterable[int], failed_items: bool) -> str:
    now = time.time()
    wanted = list(dict.fromkeys(task_ids))
    off = excluded(books, wanted)
    retried = [t for t in wanted if books.ledger.retry(t, now, failed_items, off.get(t, 0))]
    if not retried:
        what = "failed records" if failed_items else "tasks that are not running"
        return f"nothing to retry: no {what} among the {plural(len(wanted), 'task')} chosen"
    for model_id in {books.ledger[t].model_id for t in retried}:
        model = books.models[model_id]
        if model.blocked or model.not_before:
            books.save_model(replace(model, blocked=None, load_failures=0, not_before=0.0))
    what = "the failed records of " if failed_items else ""
    text = f"retry of {what}{plural(len(retried), 'task')}"
    books.event("info", f"{text}: {named(books, retried)}")
    left = len(wanted) - len(retried)
    return text + (f"; {left} left as they are (running, or nothing failed)" if left else "")


def named(books: Books, task_ids: list[int]) -> str:
    """The first few tasks by shard and model."""
    tasks = [books.ledger[task_id] for task_id in task_ids]
    names = [f"{task.shard:05} {books.models[task.model_id].name}" for task in tasks[:5]]
    return ", ".join(names) + (", ..." if len(tasks) > 5 else "")


def skip(books: Books, task_ids: Iterable[int], skip: bool) -> str:
    now = time.time()
    changed = [t for t in task_ids if books.ledger.skip(t, now, skip)]
    if not changed:
        return "nothing to skip" if skip else "nothing is skipped among the chosen"
    text = f"{'skipped' if skip else 'no longer skipped'}: {plural(len(changed), 'task')}"
    books.event("info", f"{text}: {named(books, changed)}")
    return text


def prioritise(books: Books, task_ids: Iterable[int], by: int) -> str:
    now = time.time()
    wanted = list(dict.fromkeys(task_ids))
    moved = [t for t in wanted if books.ledger.prioritise(t, now, by)]
    if not moved:
        raise Refused("only tasks that wait have a priority")
    priorities = sorted({books.ledger[task].priority for task in moved})
    left = f"; {len(wanted) - len(moved)} do not wait" if len(moved) < len(wanted) else ""
    return f"priority {', '.join(map(str, priorities))}: {named(books, moved)}{left}"


def pin(books: Books, device: str, name: str | None, live: Live | None) -> str:
    model = None if name is None else books.model_named(name)
    if name is not None and model is None:
        raise Refused(f"the project has no model {name!r}")
    if live is None:
        raise Refused("nothing is running: pin a device while it works")
    try:
        live.fleet.pin(device, model.id if model else None)
    except KeyError:
        raise no_device(device, live) from None
    return f"{device} now works on {name}" if name else f"{device} takes any model"


def wake(device: str, live: Live | None) -> str:
    if live is None:
        raise Refused("nothing is running")
    try:
        live.fleet.wake(device)
    except KeyError:
        raise no_device(device, live) from None
    return f"{device} is awake"


def no_device(device: str, live: Live) -> Refused:
    return Refused(f"the run has no device {device!r}: it has {', '.join(live.fleet.devices)}")
