"""Help, and the bindings that it is made from."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import canned_projects
from tests.tui.conftest import label_text, press, ready
from tui.app import MllmaugApp
from tui.dialogs.help import OFF, Help, help_lines
from tui.screens.dashboard import Dashboard

pytestmark = pytest.mark.asyncio
SIZE = (120, 36)


def make(tmp_path: Path, variant: str = "busy") -> MllmaugApp:
    return MllmaugApp(canned_projects.copy_canned_project(tmp_path / "cc3m-pilot", variant).folder)


async def test_help_searches_and_says_why_not(tmp_path: Path) -> None:
    app = make(tmp_path, "create")
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "question_mark")
        assert isinstance(app.screen, Help)
        keys = label_text(app, "#keys")
        assert keys.index("Focused pane") < keys.index("Everywhere") < keys.index("Disabled now")
        assert "there is no caption yet" in keys
        await press(pilot, "slash", tuple("capt"))
        assert "Suspend" not in label_text(app, "#keys")
        await press(pilot, "escape", "escape")
        assert isinstance(app.screen, Dashboard)


@pytest.mark.parametrize("variant", ["create", "busy", "finished"])
@pytest.mark.parametrize("readonly", [False, True])
async def test_help_has_the_reason_for_every_greyed_key(
    tmp_path: Path, variant: str, readonly: bool
) -> None:
    app = MllmaugApp(
        canned_projects.copy_canned_project(tmp_path / "p", variant).folder, readonly=readonly
    )
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        for mode in "12345":
            await press(pilot, mode, drawn=False)
            off = [
                help_line.text
                for help_line in help_lines(app.screen, app.focused)
                if help_line.section == OFF
            ]
            for active in app.screen.active_bindings.values():
                if not active.enabled and active.binding.id:
                    name = f"{active.binding.description}: "
                    reasons = [text for text in off if text.startswith(name)]
                    assert reasons, f"{active.binding} on {app.screen}"
                    assert all(len(reason) > len(name) for reason in reasons)


async def test_every_binding_is_declared_whole(tmp_path: Path) -> None:
    app = make(tmp_path)
    seen: set[str] = set()
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        for mode in "12345":
            await press(pilot, mode, drawn=False)
            for active in app.screen.active_bindings.values():
                if active.binding.id:
                    seen.add(active.binding.id)
                    assert active.binding.description
                elif active.binding.show:
                    raise AssertionError(f"{active.binding} is shown but has no id")
    assert {
        "app.pause",
        "shards.retry",
        "samples.live",
        "table.open",
        "failures.exclude",
        "logs.find",
    } <= seen
