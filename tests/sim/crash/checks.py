"""What must hold of a project after a crash, before and after its recovery.

The caption logs are read here by a few lines of their own, not by the product's reader.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from db.rows import ModelRow, TaskRow
from engine.project import sheared_file
from engine.project.sheared_file import sheared_path
from engine.shearing.shear import make_shearer
from engine.state.project_state import ProjectState, SavedProject
from tests.sim.crash.lives import BAD, IMAGES, damaged
from tests.sim.crash.obedient import caption_of
from tests.sim.crash.operations import Disk
from tests.sim.crash.recovery import MANIFEST, Files, Recovered, Workshop

Promises = frozenset[tuple[str, int]]
"""(Path of a caption log, index) of the captions that were once certain to outlive any crash."""


@dataclass(frozen=True, slots=True)
class Line:
    """A whole line of a caption log."""

    offset: int
    value: dict[str, Any] | None
    """The row; None if the line is none."""


@lru_cache(100_000)
def lines_of(data: bytes) -> tuple[Line, ...]:
    """Return the whole lines of a caption log; what follows the last line end is none."""
    lines, offset = [], 0
    for line in data.split(b"\n")[:-1]:
        try:
            value = json.loads(line)
        except ValueError:
            value = None
        lines.append(Line(offset, value if isinstance(value, dict) else None))
        offset += len(line) + 1
    return tuple(lines)


@lru_cache(100_000)
def captions_of(data: bytes) -> dict[int, str]:
    """Return the last caption of every record in a log, by index."""
    rows = (line.value for line in lines_of(data) if line.value is not None)
    return {row["i"]: row["raw"] for row in rows if "raw" in row}


def promises_of(disk: Disk) -> Promises:
    """Return the captions that are certain now to outlive any crash."""
    return frozenset(
        (path, i)
        for path, data in disk.certain().items()
        if is_log(path) and not is_damaged(data)
        for i in captions_of(data)
    )


def is_damaged(data: bytes) -> bool:
    """Return True if a caption log was damaged by the step that does so."""
    return damaged(IMAGES[0].encode()) in data


def is_log(path: str) -> bool:
    return path.startswith("captions/") and path.endswith("/00000.jsonl")


def log_of(model: ModelRow) -> str:
    return f"captions/{model.folder}/00000.jsonl"


def content_of(files: Files, path: str) -> bytes:
    return files.get(path) or b""


def check_crashed(files: Files, workshop: Workshop, lossless: bool) -> list[str]:
    """Return what is wrong with what a crash left, before anything was done about it.

    `lossless` is True if the power was never cut: then nothing that was written may be lost.
    """
    wrong = []
    if not is_manifest(content_of(files, MANIFEST)):
        wrong.append("project.json cannot be read")
    database = files.get("project.db")
    if database is None or database not in workshop.known:
        return wrong  # it is being rebuilt
    saved = workshop.known[database].saved
    models = {model.id: model for model in saved.models}
    for task in saved.tasks:
        log = log_of(models[task.model_id])
        data = content_of(files, log)
        set_aside = [kept for path, kept in files.items() if path.startswith(f"{log}.damaged-")]
        if any(is_damaged(each or b"") for each in (data, *set_aside)):
            continue
        counted = data[: task.log_bytes]
        if task.state == "running" and not lossless:
            continue  # its rows are synced every few seconds
        if len(counted) < task.log_bytes or (task.log_bytes and not counted.endswith(b"\n")):
            wrong.append(f"task {task.id} is {task.state}, and rows that it counts are lost")
        elif task.digest is not None and digest(counted) != task.digest:
            wrong.append(f"task {task.id} is done, and its log is another")
        elif b"\0" in counted:
            wrong.append(f"task {task.id} is {task.state}, and rows that it counts are zeros")
    return wrong


@lru_cache(1_000)
def is_manifest(data: bytes) -> bool:
    try:
        return set(json.loads(data)) >= {"project", "models", "shards"}
    except ValueError:
        return False


@lru_cache(10_000)
def digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def check_recovered(
    before: Files, after: Files, recovered: Recovered, workshop: Workshop, promises: Promises
) -> list[str]:
    """Return what is wrong after the recovery, of which `before` and `after` are the files."""
    wrong = []
    state = recovered.state
    database = before.get("project.db")
    known = workshop.known.get(database) if database is not None else None
    tasks_before = {task.id: task for task in known.saved.tasks} if known else {}
    for task in state.ledger.tasks.values():
        model = state.models[task.model_id]
        data = content_of(after, log_of(model))
        wrong += [f"task {task.id}: {text}" for text in check_log(data, model)]
        wrong += [f"task {task.id}: {text}" for text in check_counts(task, data)]
        if task.state == "running":
            wrong.append(f"task {task.id} is still running")
        if task.state == "done":
            redone = tasks_before.get(task.id)
            wrong += [f"task {task.id}: {text}" for text in check_done(task, redone, data)]
            wrong += check_sheared(task, model, after, state)
    wrong += check_promises(after, promises)
    if not is_manifest(content_of(after, MANIFEST)):
        wrong.append("project.json cannot be read after the recovery")
    return wrong


def check_ended(
    asked: SavedProject, saved: SavedProject, files: Files, promises: Promises
) -> list[str]:
    """Return what is wrong after a run that was left alone.

    `asked` is what the database said before the run, `saved` what it says now.
    """
    wrong = []
    before = {task.id: task for task in asked.tasks}
    models = {model.id: model for model in saved.models}
    for task in saved.tasks:
        data = content_of(files, log_of(models[task.model_id]))
        if task.state != "done":
            wrong.append(f"task {task.id} is {task.state} after a run: {task.error}")
        elif set(captions_of(data)) != set(range(task.count)) - {BAD}:
            wrong.append(f"task {task.id} is done with the captions of {set(captions_of(data))}")
        wrong += [f"task {task.id}: {text}" for text in check_done(task, before.get(task.id), data)]
    return wrong + check_promises(files, promises)


def check_promises(files: Files, promises: Promises) -> list[str]:
    return [
        f"the synced caption {i} of {path} is lost"
        for path, i in promises
        if i not in captions_of(content_of(files, path))
    ]


def check_log(data: bytes, model: ModelRow) -> list[str]:
    wrong = []
    if data and not data.endswith(b"\n"):
        wrong.append("a torn row is left at the end of its log")
    if data and b"\0" in data[data[:-1].rfind(b"\n") + 1 :]:
        wrong.append("zeros are left at the end of its log")
    for line in lines_of(data):
        row = line.value
        if row is None:
            continue
        if "raw" in row and row["raw"] != caption_of(model.name, IMAGES[row["i"]]):
            wrong.append(f"record {row['i']} has a caption of another: {row['raw']}")
        if "error" in row and row["i"] != BAD:
            wrong.append(f"record {row['i']} failed: {row}")
    return wrong


def check_counts(task: TaskRow, data: bytes) -> list[str]:
    """Check that the counts of a task are those of its log."""
    rows = [line for line in lines_of(data) if line.value is not None]
    captioned = set(captions_of(data))
    seen = {line.value["i"] for line in rows if line.value}
    redone = {line.value["i"] for line in rows if line.value and line.offset >= task.redo_from}
    excluded = {
        i
        for i in seen - captioned
        if [line.value for line in rows if line.value and line.value["i"] == i][-1]["error"]
        == "excluded"
    }
    kept = captioned if task.redo == "failed" else set()
    left = 0 if task.state == "done" else task.count - len(redone | excluded | kept)
    expected = (len(captioned), len(seen - captioned), left, len(rows), len(data))
    counted = (task.captioned, task.failed, task.left, task.rows, task.log_bytes)
    if counted != expected:
        return [f"{task.state}: it counts {counted}, its log holds {expected}"]
    return []


def check_done(task: TaskRow, before: TaskRow | None, data: bytes) -> list[str]:
    wrong = []
    rows = [line for line in lines_of(data) if line.value is not None]
    if {line.value["i"] for line in rows if line.value} != set(range(task.count)):
        wrong.append("it is done, and a record has no row")
    if task.digest != digest(data):
        wrong.append("it is done with the digest of another log")
    if before is not None and before.state != "done" and before.redo_from > 0:
        captioned = set(captions_of(data))
        again = {line.value["i"] for line in rows if line.value and line.offset >= before.redo_from}
        kept = captioned if before.redo == "failed" else set()
        asked = {i for i in range(task.count) if i not in again | kept and i != BAD}
        if asked:
            wrong.append(f"it is done, and {sorted(asked)} were to be captioned again")
    return wrong


def check_sheared(task: TaskRow, model: ModelRow, files: Files, state: ProjectState) -> list[str]:
    """Check that what an export would read as the sheared captions of a task is right."""
    log = state.project.folder / log_of(model)
    path = sheared_path(log, state.shearing, task.digest or "")
    if files.get(str(path.relative_to(state.project.folder))) is None:
        return []
    lines = sheared_file.read_sheared(path, task.count)
    if lines is None:
        return []  # it is not believed
    shear = make_shearer(model.family, state.shearing)
    captions = captions_of(content_of(files, log_of(model)))
    expected = [shear(captions[i], "stop") if i in captions else None for i in range(task.count)]
    try:
        right = [json.loads(line) for line in lines] == expected
    except ValueError:
        right = False
    return [] if right else [f"the sheared captions of task {task.id} are {lines}"]
