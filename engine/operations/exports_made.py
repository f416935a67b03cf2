"""Telling the tracker of an export, so that people see what was exported and when."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from db.connection import DatabaseError
from engine.datasets.exports.export import ExportResult
from engine.operations import run_control
from engine.project.layout import Project
from engine.requests.kinds import MAX_NAME, MAX_PATH, Exported
from engine.utils.errors import BadInput, RequestRefused


def tell_export(project: Project, result: ExportResult, format: str) -> None:
    """Have the tracker note an export. One that cannot be told is written all the same."""
    request = Exported(
        path=str(Path(result.path).absolute())[:MAX_PATH],
        format=format[:MAX_NAME],
        captions=result.captions,
        images=result.images,
    )
    with suppress(RequestRefused, BadInput, DatabaseError, OSError):
        run_control.send_request(project, request)
