"""The list of projects: what it says of each, and opening another one."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import OptionList

from tests.support import canned_projects
from tests.support.cli import cli
from tests.tui.conftest import press, ready, until
from tui.app import MllmaugApp
from tui.config import user_files
from tui.dialogs.projects import OTHER, Projects
from tui.dialogs.text_prompt import Ask

pytestmark = pytest.mark.asyncio


def lines(app: MllmaugApp) -> list[str]:
    return [str(option.prompt) for option in app.screen.query_one(OptionList).options]


async def test_it_lists_the_others_and_opens_one(tmp_path: Path) -> None:
    folders = {
        name: canned_projects.copy_canned_project(tmp_path / f"[x] {name}", name).folder
        for name in ("busy", "create", "finished")
    }
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "project.db").write_bytes(b"no database")
    for folder in (broken, *folders.values()):
        user_files.remember_project(folder)
    app = MllmaugApp(folders["busy"])
    async with app.run_test(size=(120, 36)) as pilot:
        await ready(pilot)
        await press(pilot, "O")
        assert isinstance(app.screen, Projects)
        await until(pilot, lambda: not any("reading ..." in line for line in lines(app)))
        finished, created, unreadable, other = lines(app)
        assert "[x] finished" in finished and "FINISHED" in finished and "100%" in finished
        assert "[x] create" in created and "0%" in created
        assert "broken" in unreadable and "%" not in unreadable
        assert other == OTHER
        await press(pilot, "down", "enter")
        await until(pilot, lambda: app._exit)
    assert app.return_value == folders["create"]


async def test_a_demo_without_the_application_is_a_recent_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.cli.demo.run_headless", lambda project, devices: 0)
    assert cli("demo", "shapes", "--headless", "--images", "1").returncode == 0
    assert user_files.recent_projects() == [tmp_path / "shapes"]


async def test_another_folder_must_be_a_project(tmp_path: Path) -> None:
    app = MllmaugApp(canned_projects.copy_canned_project(tmp_path / "p", "create").folder)
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        user_files.recent_file().unlink(missing_ok=True)
        await press(pilot, "O", "enter")
        assert isinstance(app.screen, Ask)
        await press(pilot, tuple("none"), "enter")
        await until(pilot, lambda: app._notifications)
        assert isinstance(app.screen, Projects)
        assert not app._exit
