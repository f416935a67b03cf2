"""The application with hostile texts in its data, and in a terminal without colours."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import canned_projects
from tests.tui.conftest import press, ready
from tui.app import MllmaugApp

pytestmark = pytest.mark.asyncio
SIZE = (120, 36)


def make(tmp_path: Path, variant: str = "busy") -> MllmaugApp:
    return MllmaugApp(canned_projects.copy_canned_project(tmp_path / "cc3m-pilot", variant).folder)


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
async def test_hostile_texts_break_nothing(tmp_path: Path, size: tuple[int, int]) -> None:
    app = make(tmp_path, "hostile")
    async with app.run_test(size=size) as pilot:
        await ready(pilot)
        await press(pilot, "2", *"jjjjjjj", "enter", "escape", "r", "escape")
        await press(pilot, "3", *"jjjjjjjjjjjjj", "enter", "escape")
        await press(pilot, "4", "j", "j", "enter", "j", "enter", "escape", "x", "escape", "escape")
        await press(pilot, "5", "w", "L", "escape")
        await press(pilot, "c", "j", "n", "escape", "h", "escape")
        await press(pilot, "1", "question_mark", "escape")
        for strip in app.screen._compositor.render_strips():
            assert "\x1b" not in strip.text
            assert "\n" not in strip.text


async def test_no_color(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = make(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "2", "3", "1")
        text = "\n".join(strip.text for strip in app.screen._compositor.render_strips())
        assert "RUN" in text
        assert "LOAD" in text
