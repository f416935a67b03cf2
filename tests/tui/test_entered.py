"""Escape closes a dialog, but asks first where it would lose what was entered."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from textual.widgets import Input

from tests.support import canned_projects
from tests.tui.conftest import open_wizard, press, ready, until
from tui.app import MllmaugApp
from tui.dialogs.confirm import Confirm
from tui.dialogs.dialog import Dialog
from tui.screens.project_screen import ProjectScreen
from tui.screens.welcome import Welcome

pytestmark = pytest.mark.asyncio


def front(app: MllmaugApp) -> object:
    """Return the screen in front."""
    return app.screen


@pytest.mark.parametrize(
    ("variant", "keys", "field"),
    [
        ("finished", ("M", "enter"), "#set-prompt"),
        ("create", ("M", "a"), "#checkpoint"),
        ("busy", ("2", "b"), "#prompt"),
        ("finished", ("H",), "#words"),
    ],
)
async def test_a_dialog_of_a_project(
    tmp_path: Path, variant: str, keys: Sequence[str], field: str
) -> None:
    app = MllmaugApp(canned_projects.copy_canned_project(tmp_path / "p", variant).folder)
    async with app.run_test(size=(120, 36)) as pilot:
        await ready(pilot)
        await press(pilot, *keys)
        await until(pilot, lambda: app.screen.query_one(field, Input))
        await press(pilot, "escape")
        assert isinstance(front(app), ProjectScreen)
        await press(pilot, *keys)
        await until(pilot, lambda: app.screen.query_one(field, Input))
        dialog = app.screen
        assert isinstance(dialog, Dialog)
        dialog.query_one(field, Input).value = "7"
        await press(pilot, "escape")
        assert isinstance(front(app), Confirm)
        await press(pilot, "escape")
        assert front(app) is dialog and dialog.query_one(field, Input).value == "7"
        await press(pilot, "escape", "y")
        await until(pilot, lambda: isinstance(app.screen, ProjectScreen))


async def test_the_wizard() -> None:
    app = MllmaugApp(None)
    async with app.run_test(size=(120, 36)) as pilot:
        await open_wizard(pilot)
        await press(pilot, "escape")
        assert isinstance(front(app), Welcome)
        wizard = await open_wizard(pilot)
        wizard.query_one("#captions", Input).value = "captions.json"
        await press(pilot, "escape")
        assert isinstance(front(app), Confirm)
        await press(pilot, "n")
        assert front(app) is wizard
        await press(pilot, "escape", "y")
        await until(pilot, lambda: isinstance(app.screen, Welcome))
