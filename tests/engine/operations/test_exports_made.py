"""An export leaves an event and a row, and nothing where the project is in use elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from db import exports, progress
from db.connection import reading
from db.rows import ExportRow
from engine.datasets.exports.export import ExportResult
from engine.operations.exports_made import tell_export
from engine.project.lock import ProjectLock
from tests.support.small_project import SmallProject

RESULT = ExportResult(path=Path("/out [/x]"), bytes=9, captions=3, images=2)


def test_an_export_is_told(small: SmallProject) -> None:
    tell_export(small.project, RESULT, "json")
    with reading(small.project.database) as connection:
        (row,) = exports.newest(connection, 9)
        (event,) = progress.events(connection, 1)
    told = ExportRow(created=row.created, path="/out [/x]", format="json", captions=3, images=2)
    assert row == told
    assert event.text == "exported 3 captions of 2 images as json to /out [/x]"
    assert event.level == "info"


def test_one_that_cannot_be_told_is_written_all_the_same(
    small: SmallProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.operations.run_control.ANSWER_SECONDS", 0.0)
    with ProjectLock(small.project.lock):
        tell_export(small.project, RESULT, "json")
    with reading(small.project.database) as connection:
        assert exports.newest(connection, 9) == ()
