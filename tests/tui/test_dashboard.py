"""The Dashboard of a project that is finished, or that was left alone for a while."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest
from textual.command import CommandPalette

from db import exports
from db.connection import writing
from db.rows import ExportRow
from tests.support import canned_projects
from tests.support.canned_rows import NOW
from tests.tui.conftest import press, ready, until
from tui.app import MllmaugApp
from tui.config import user_files
from tui.screens.dashboard import Dashboard
from tui.screens.samples import Samples
from tui.viewmodel.absence import seen_in
from tui.viewmodel.snapshot_reader import read_snapshot
from tui.widgets.devices import DevicesPane
from tui.widgets.events import EventsPane
from tui.widgets.finished import FinishedPane

pytestmark = pytest.mark.asyncio


def texts(pane: FinishedPane | EventsPane) -> str:
    assert pane.snapshot is not None
    return "\n".join(line.plain for line in pane.lines(pane.snapshot, 100))


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
async def test_the_card_of_a_finished_project_is_a_pane(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    project = canned_projects.copy_canned_project(tmp_path / "p", "finished")
    made = ExportRow(created=NOW, path="/o [/x]", format="json", captions=7, images=7)
    with writing(project.database) as connection:
        exports.add(connection, made)
    app = MllmaugApp(project.folder)
    async with app.run_test(size=size) as pilot:
        await ready(pilot)
        pane = app.screen.query_one(FinishedPane)
        await until(pilot, lambda: pane.history is not None)
        assert not app.screen.query_one(DevicesPane).display
        assert "exported 08:53:20: 7 captions (json) to /o [/x]" in texts(pane)
        assert "next: " in texts(pane)
        await press(pilot, "3")
        assert isinstance(app.screen, Samples)
        await press(pilot, "1", "colon")
        assert isinstance(app.screen, CommandPalette)


async def test_the_card_waits_until_a_project_is_known_to_be_finished(tmp_path: Path) -> None:
    project = canned_projects.copy_canned_project(tmp_path / "p", "busy")
    pane = FinishedPane(project)
    assert not pane.display


async def test_since_you_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = canned_projects.copy_canned_project(tmp_path / "p", "busy")
    now = read_snapshot(project)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr("tui.session.presence.time.time", lambda: NOW)
    seen = replace(seen_in(now, NOW - 7_200), captioned=now.captioned - 1_500)
    user_files.remember_seen(now.project.uid, asdict(seen))
    app = MllmaugApp(project.folder)
    async with app.run_test(size=(120, 36)) as pilot:
        await ready(pilot)
        assert isinstance(app.screen, Dashboard)
        told = "since you left at 06:53:20 (2h00m): 1,500 captions"
        assert texts(app.screen.query_one(EventsPane)).startswith(told)
        assert [each.message for each in app._notifications if told in each.message]
    assert user_files.last_seen()[now.project.uid]["at"] == NOW
