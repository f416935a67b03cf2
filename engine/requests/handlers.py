"""Requests of people, carried out on the project's state: pause, retry, skip, set, pin, ...

The supervisor does it between two turns of its loop; where none runs, the command that makes the
request does it itself under the project's lock. Both call `carry_out`. What a handler does follows
from the project's state, the request and `ProjectState.clock` alone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from sqlalchemy import Connection

from db import exports, requests
from db.connection import DatabaseBusy, DatabaseUnusable, reading
from db.rows import ExportRow, RequestRow
from engine.captioners.registry import IMPORTED
from engine.images.image import image_exists
from engine.project.image_paths import image_paths_of
from engine.requests.answers import Answer, ExcludeResult, refused
from engine.requests.ask_again import ask_again
from engine.requests.changes import Changes
from engine.requests.exclude import exclude, excluded_counts
from engine.requests.flag import flag
from engine.requests.kinds import (
    AddModel,
    AskAgain,
    Configure,
    Exclude,
    Exported,
    Flag,
    Pause,
    PilotFigures,
    Pin,
    Prioritise,
    Rate,
    Recheck,
    Request,
    Resume,
    Retry,
    Skip,
    Stop,
    Undo,
    Wake,
    parse_request,
    to_payload,
)
from engine.requests.models import add_model, configure, keep_pilot_figures
from engine.requests.named_tasks import known_tasks, name_tasks
from engine.requests.rate import rate
from engine.requests.recheck import recheck
from engine.requests.running_supervisor import RunningSupervisor
from engine.requests.undo import undo
from engine.state.health_stops import let_models_go_on
from engine.state.model_backoff import wake_models
from engine.state.project_state import ProjectState
from engine.utils.errors import BadInput, RequestRefused
from engine.utils.plurals import plural

OUTLIVING_KINDS = (Retry.kind, Skip.kind, Flag.kind, Rate.kind, Recheck.kind, Exported.kind)
"""Kinds of requests that stay valid after the run during which they were made has ended."""


def answer_leftovers(project_state: ProjectState) -> None:
    """Answer the requests that an earlier run did not come to.

    Only `OUTLIVING_KINDS` are carried out: an old stop, for one, must not end this run. Raises
    `DatabaseError`.
    """
    with reading(project_state.project.database) as connection:
        waiting = requests.pending(connection)
    for row in waiting:
        if row.kind in OUTLIVING_KINDS:
            answer_request(project_state, row, None)
        else:
            save_answer(project_state, row.id, Answer("the run has ended", state="refused"))


def answer_request(
    project_state: ProjectState, row: RequestRow, supervisor: RunningSupervisor | None
) -> None:
    """Carry out a request of the database; the next commit saves its answer.

    `supervisor` is None if none runs. A request that cannot be carried out is refused, whatever
    stands in its row.
    """
    try:
        answer = carry_out(project_state, parse_request(row.kind, row.payload), supervisor)
    except (RequestRefused, DatabaseBusy, DatabaseUnusable) as error:
        answer = refused(error)
    save_answer(project_state, row.id, answer)


def save_answer(project_state: ProjectState, request_id: int, answer: Answer) -> None:
    """Have the next commit write the answer into the request's row."""
    project_state.answers.append((request_id, answer.state, answer.text, answer.result_fields()))


def save_request(project_state: ProjectState, request: Request, answer: Answer) -> None:
    """Have the next commit write a request with its answer, that was carried out at once."""

    def write(connection: Connection) -> None:
        request_id = requests.add(connection, request.kind, to_payload(request))
        fields = answer.result_fields()
        requests.answer(connection, request_id, answer.state, answer.text, fields)

    project_state.writes.append(write)


def carry_out(
    project_state: ProjectState, request: Request, supervisor: RunningSupervisor | None
) -> Answer:
    """Carry out a request and return the answer, which may be that it is refused.

    The fields of `request` have their types, as `parse_request` and `to_payload` check. A refused
    request changes nothing. Raises `DatabaseError`, and without a supervisor `OSError`.
    """
    changes = Changes(project_state, request)
    try:
        answer = dispatch(project_state, request, supervisor)
    except (RequestRefused, BadInput) as error:
        return refused(error)
    return replace(answer, before=changes.before())


def dispatch(
    project_state: ProjectState, request: Request, supervisor: RunningSupervisor | None
) -> Answer:
    """Call the handler of the request and return its answer.

    Raises `RequestRefused` and `BadInput`.
    """
    result: ExcludeResult | None = None
    running = supervisor is not None
    match request:
        case Pause():
            text = pause(project_state, supervisor)
        case Resume():
            text = resume(project_state, supervisor)
        case Stop():
            text = stop(project_state, request, supervisor)
        case Retry():
            text = retry(project_state, request)
        case Skip():
            text = skip(project_state, request)
        case Prioritise():
            text = prioritise(project_state, request)
        case Exclude():
            result = exclude(project_state, request, supervisor)
            text = result.summary(request.exclude)
        case AskAgain():
            text = ask_again(project_state, request)
        case PilotFigures():
            text = keep_pilot_figures(project_state, request)
        case Exported():
            text = note_export(project_state, request)
        case Recheck():
            text = recheck(project_state, request)
        case Flag():
            text = flag(project_state, request)
        case Rate():
            text = rate(project_state, request)
        case Pin():
            text = pin(project_state, request, supervisor)
        case Wake():
            text = wake_device(request.device, supervisor)
        case Configure():
            text = configure(project_state, request, running)
        case AddModel():
            text = add_model(project_state, request.choice, running)
        case Undo():
            text = undo(project_state, request)
        case _:
            assert_never(request)
    return Answer(text, result)


def pause(project_state: ProjectState, supervisor: RunningSupervisor | None) -> str:
    """Pause the run, or have the next run begin paused.

    A run that paused itself does not go on by itself any more.
    """
    settings = project_state.settings
    if settings.paused and settings.pause_cause in (None, "user"):
        return "it is paused already"
    project_state.pause("user")
    project_state.event("info", "paused by the user")
    if settings.paused:
        return "it was paused already; now it stays paused until 'resume'"
    if supervisor is not None:
        supervisor.on_paused()
    return "paused"


def resume(project_state: ProjectState, supervisor: RunningSupervisor | None) -> str:
    """Let the run go on, and have models that wait for their server, or to be loaded, try at once.

    Models that were stopped for the health of their captions go on, too.
    After a pause for a lost image root whose witness image is still gone, this also means: go on
    without that image, and probe the root alone.
    """
    woken = wake_models(project_state)
    delayed = supervisor.device_pool.end_load_delays() if supervisor is not None else set()
    woken += sorted({project_state.models[model_id].name for model_id in delayed} - set(woken))
    woken += [name for name in let_models_go_on(project_state) if name not in woken]
    if not project_state.settings.paused:
        if not woken:
            return "it is not paused"
        project_state.event("info", f"tried again by the user: {', '.join(woken)}")
        return f"it is not paused; tries {', '.join(woken)} again"
    lost_root = project_state.settings.pause_cause == "root_lost"
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
    paths = image_paths_of(project_state.project, settings)
    return settings.witness is not None and image_exists(paths, settings.witness)


def stop(project_state: ProjectState, request: Stop, supervisor: RunningSupervisor | None) -> str:
    """End the run, now or after the running shards."""
    if supervisor is None:
        return "nothing is running"
    supervisor.stop(request.after_shard)
    later = " after the running shards" if request.after_shard else ""
    project_state.event("info", f"stop requested{later}")
    return f"stops{later}" if later else "stopped"


def retry(project_state: ProjectState, request: Retry) -> str:
    """Ask for whole shards again, or for their failed records. Raises `RequestRefused`.

    Blocked and waiting models of these tasks are tried again at once.
    """
    now = project_state.clock.time()
    failed_items = request.failed_items
    named = known_tasks(project_state, request.tasks)
    requested = [task_id for task_id in named if not is_imported(project_state, task_id)]
    if named and not requested:
        raise RequestRefused(
            f"{name_tasks(project_state, named)}: a run cannot make imported captions:"
            " 'import' them"
        )
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
            unblocked = replace(
                model, blocked=None, blocked_cause=None, load_failures=0, not_before=0.0
            )
            project_state.save_model(unblocked)
    what = "the failed records of " if failed_items else ""
    text = f"retry of {what}{plural(len(retried), 'task')}"
    project_state.event("info", f"{text}: {name_tasks(project_state, retried)}")
    left, imported = len(requested) - len(retried), len(named) - len(requested)
    text += f"; {left} left as they are (running, or nothing failed)" if left else ""
    return text + (f"; {imported} left as they are (imported)" if imported else "")


def note_export(project_state: ProjectState, request: Exported) -> str:
    """Keep what was exported, and log an event."""
    row = ExportRow(created=project_state.clock.time(), **to_payload(request))
    project_state.writes.append(lambda connection: exports.add(connection, row))
    text = (
        f"exported {plural(row.captions, 'caption')} of {plural(row.images, 'image')}"
        f" as {row.format} to {row.path}"
    )
    project_state.event("info", text)
    return text


def is_imported(project_state: ProjectState, task_id: int) -> bool:
    """Return True if the task's model was imported, so that no run works on it."""
    return project_state.models[project_state.ledger[task_id].model_id].family == IMPORTED


def skip(project_state: ProjectState, request: Skip) -> str:
    """Leave tasks out, or no longer leave them out. Raises `RequestRefused`."""
    now = project_state.clock.time()
    requested = known_tasks(project_state, request.tasks)
    changed = [t for t in requested if project_state.ledger.skip(t, now, request.skip)]
    for task_id in changed:
        project_state.fail_if_imported(task_id, now)
    if not changed:
        return "nothing to skip" if request.skip else "nothing is skipped among the chosen"
    text = f"{'skipped' if request.skip else 'no longer skipped'}: {plural(len(changed), 'task')}"
    project_state.event("info", f"{text}: {name_tasks(project_state, changed)}")
    return text


def prioritise(project_state: ProjectState, request: Prioritise) -> str:
    """Have pending tasks start sooner, or later. Raises `RequestRefused`."""
    now = project_state.clock.time()
    requested = known_tasks(project_state, request.tasks)
    moved = [t for t in requested if project_state.ledger.prioritise(t, now, request.by)]
    if not moved:
        raise RequestRefused("only pending tasks have a priority")
    priorities = sorted({project_state.ledger[task].priority for task in moved})
    left = f"; {len(requested) - len(moved)} are not pending" if len(moved) < len(requested) else ""
    return f"priority {', '.join(map(str, priorities))}: {name_tasks(project_state, moved)}{left}"


def pin(project_state: ProjectState, request: Pin, supervisor: RunningSupervisor | None) -> str:
    """Pin a device to a model, or unpin it. Raises `RequestRefused`."""
    device, name = request.device, request.model
    model = None if name is None else project_state.model_named(name)
    if name is not None and model is None:
        raise RequestRefused(f"the project has no model {name!r}")
    if model is not None and model.family == IMPORTED:
        raise RequestRefused(f"no device works on {name}: its captions were made elsewhere")
    if supervisor is None:
        raise RequestRefused("nothing is running: pin a device while it works")
    try:
        supervisor.device_pool.pin(device, model.id if model else None)
    except KeyError:
        raise no_device(device, supervisor) from None
    if model is None:
        return f"{device} takes any model"
    works = any(
        task.model_id == model.id and task.state in ("pending", "running")
        for task in project_state.ledger.tasks.values()
    )
    left = "" if works else ", of which nothing is left to caption: the device waits"
    return f"{device} now works on {name}{left}"


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
