"""Undoing the last change that a person has made, and then the one before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from db import requests
from db.connection import reading
from db.rows import RequestRow
from engine.operations import run_control
from engine.project.layout import Project
from engine.requests.answers import Answer
from engine.requests.changes import UNDOABLE_KINDS
from engine.requests.kinds import Undo
from engine.utils.errors import RequestRefused


def undo_last(project: Project) -> str:
    """Undo the last retry, skip, exclude, flag or rating that is not undone yet; return the answer.

    Raises `RequestRefused` if there is none, or if a run has gone on with it.
    """
    with reading(project.database) as connection:
        rows = requests.newest(connection, (*UNDOABLE_KINDS, Undo.kind))
        done = [row for row in rows if row.state == "done"]
        undone = {fields(row).get("request") for row in done if row.kind == Undo.kind}
        changes = (row for row in done if row.kind in UNDOABLE_KINDS and row.id not in undone)
        last = next((row for row in changes if has_changes(connection, row.id)), None)
    if last is None:
        raise RequestRefused("there is nothing to undo: no retry, skip, exclude, flag or rating")
    series = [row for row in done if is_of_series(row, last) and row.id not in undone]
    answers = [run_control.send_request(project, Undo(request=row.id)).text for row in series]
    return answers[0] if len(answers) == 1 else f"{answers[0]}; and {len(answers) - 1} more"


def has_changes(connection: Connection, request_id: int) -> bool:
    """Return True if the answer to a request holds what was there before it."""
    return bool(Answer.of_row(requests.get(connection, request_id)).before)


def fields(row: RequestRow) -> Mapping[str, Any]:
    """Return the fields of a request; none if its row holds something else."""
    return row.payload if isinstance(row.payload, dict) else {}


def is_of_series(row: RequestRow, last: RequestRow) -> bool:
    """Return True for a request that is undone together with another one, and for that itself."""
    series = fields(last).get("series")
    return row.id == last.id or bool(series and fields(row).get("series") == series)
