"""The command palette: what it lists, what it finds, and what choosing an entry does."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.command import Command, CommandList, CommandPalette
from textual.pilot import Pilot
from textual.widgets import Input

from tests.support import canned_projects
from tests.tui.conftest import FakeRunControl, press, ready, until
from tui.app import MllmaugApp
from tui.dialogs.export import Export
from tui.dialogs.wizard.wizard import Wizard
from tui.screens.dashboard import Dashboard
from tui.screens.failures import Failures
from tui.screens.samples import Samples

pytestmark = pytest.mark.asyncio
SIZE = (120, 36)


def make(tmp_path: Path, variant: str = "busy") -> MllmaugApp:
    return MllmaugApp(canned_projects.copy_canned_project(tmp_path / "cc3m-pilot", variant).folder)


def shown(app: MllmaugApp) -> list[str]:
    """Return the lines of the palette."""
    return [str(option.prompt) for option in app.screen.query_one(CommandList).options]


async def find(pilot: Pilot[Path], query: str, first: str) -> None:
    """Type into the palette until its first line holds `first`."""
    app = pilot.app
    assert isinstance(app, MllmaugApp)
    await press(pilot, tuple(query))
    await until(pilot, lambda: shown(app) and first in shown(app)[0])


@pytest.mark.parametrize("key", ["colon", "ctrl+p"])
async def test_both_keys_open_it_on_every_screen(tmp_path: Path, key: str) -> None:
    app = make(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        for mode in "12345":
            await press(pilot, mode, key, drawn=False)
            assert isinstance(app.screen, CommandPalette)
            await press(pilot, "escape", drawn=False)
            assert app.current_mode in app.screen.__class__.__name__.lower()


async def test_ctrl_p_opens_it_where_text_is_typed() -> None:
    app = MllmaugApp(None)
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "ctrl+n")
        assert isinstance(app.screen, Wizard)
        await until(pilot, lambda: isinstance(app.focused, Input))
        await press(pilot, "colon")
        assert isinstance(app.screen, Wizard)
        assert isinstance(app.focused, Input) and app.focused.value.endswith(":")
        await press(pilot, "ctrl+p")
        assert isinstance(app.screen, CommandPalette)
        await press(pilot, "escape")
        assert isinstance(app.screen, Wizard)


async def test_an_action_runs(tmp_path: Path, run_control: FakeRunControl) -> None:
    app = make(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "ctrl+p")
        await find(pilot, "hold captioning", "Pause")
        assert run_control.calls == []
        await press(pilot, "enter")
        await until(pilot, lambda: run_control.calls == [("pause", {})])
        await press(pilot, "colon")
        await find(pilot, "parquet", "Export")
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(app.screen, Export))


async def test_an_action_of_another_screen_goes_there(tmp_path: Path) -> None:
    app = make(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "colon")
        await find(pilot, "bigger picture", "on Samples, 3")
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(app.screen, Samples))
        await press(pilot, "colon")
        await find(pilot, "why did this image fail", "Failures")
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(app.screen, Failures))


async def test_what_cannot_work_comes_last_with_the_reason(tmp_path: Path) -> None:
    app = make(tmp_path, "create")
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "colon")
        await until(pilot, lambda: shown(app))
        lines = shown(app)
        off = [number for number, line in enumerate(lines) if line.endswith("caption yet)")]
        assert off and min(off) > max(n for n, line in enumerate(lines) if "(on " in line)
        await find(pilot, "parquet", "there is no caption yet")
        await press(pilot, "enter")
        assert isinstance(app.screen, Dashboard)
        assert "Export: there is no caption yet" in [each.message for each in app._notifications]


async def test_it_lists_keys_and_no_moves(tmp_path: Path) -> None:
    app = make(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "2", "colon")
        await until(pilot, lambda: shown(app))
        options = app.screen.query_one(CommandList).options
        names = [option.hit.text for option in options if isinstance(option, Command)]
        assert not {"Up", "Down", "Page up", "First", "Last row", "Maximize", "Quit Textual"} & {
            *names
        }
        assert len(names) == len(set(shown(app)))
        assert any(line.startswith("e        Export") for line in shown(app))
        assert any(line.startswith("ctrl+r") or line.startswith("^r") for line in shown(app))


async def test_the_key_shown_is_the_users_own(tmp_path: Path) -> None:
    from tui.config.settings import UserSettings

    folder = canned_projects.copy_canned_project(tmp_path / "p", "busy").folder
    app = MllmaugApp(folder, settings=UserSettings(keys={"samples.jump": "f5", "app.export": "f6"}))
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "colon")
        await until(pilot, lambda: shown(app))
        assert any(line.startswith("f5") and "Jump" in line for line in shown(app))
        assert any(line.startswith("f6") and "Export" in line for line in shown(app))
