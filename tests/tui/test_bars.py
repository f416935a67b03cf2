"""The status bar and the key bar where there is little room."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from db.rows import FailedImages
from tests.support import canned_projects
from tests.tui.conftest import press, ready
from tests.tui.keys.states import MODEL, progress, snapshot
from tui.app import MllmaugApp
from tui.widgets.key_bar import KeyBar, KeyBarItem, fitting
from tui.widgets.status_bar import StatusBar, progress_parts

TITLES = ("1 Dash", "2 Shards", "3 Samples", "4 Failures", "5 Logs", "6 Quality")


def item(label: str, enabled: bool = True, always_shown: bool = False) -> KeyBarItem:
    return KeyBarItem(
        key=label, key_label=label, description="x", enabled=enabled, always_shown=always_shown
    )


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (80, "abcde"),
        (20, "acde"),  # the one that cannot work goes first
        (15, "ade"),
        (10, "de"),
        (0, "de"),
    ],
)
def test_what_a_key_bar_leaves_out(width: int, shown: str) -> None:
    items = [
        item("a"),
        item("b", enabled=False),
        item("c"),
        item("d", always_shown=True),
        item("e", enabled=False, always_shown=True),
    ]
    assert all(each.content.cell_length == 5 for each in items)
    assert "".join(each.key for each in fitting(items, width)) == shown


@pytest.mark.parametrize(
    ("failed", "spacious", "label"),
    [
        (FailedImages(1), True, "1 image failed"),
        (FailedImages(1, exact=False), True, "1+ images failed"),
        (FailedImages(3), True, "3 images failed"),
        (FailedImages(1), False, "1 fail"),
    ],
)
def test_failed_images_in_the_bar(failed: FailedImages, spacious: bool, label: str) -> None:
    shown = snapshot(models=(replace(progress(MODEL, 8), failed=1),), failed_images=failed)
    assert progress_parts(shown, spacious)[-1][1].plain == label


@pytest.mark.asyncio
@pytest.mark.parametrize("width", [80, 100, 120, 200])
async def test_bars_fit_and_name_the_screens(tmp_path: Path, width: int) -> None:
    app = MllmaugApp(canned_projects.copy_canned_project(tmp_path / "cc3m-pilot", "busy").folder)
    async with app.run_test(size=(width, 24)) as pilot:
        await ready(pilot)
        for mode in "12345":
            await press(pilot, mode)
            line = app.screen.query_one(StatusBar).render_line(0).text
            assert all(title in line for title in TITLES)
            assert "RUN" in line and "37%" in line
            keys = app.screen.query_one(KeyBar).render()
            assert keys.cell_length <= width
            assert all(key in keys.plain for key in ("p Pause", "? Help", ": Actions", "q Quit"))


@pytest.mark.asyncio
async def test_what_readonly_turns_off_is_not_in_the_bar(tmp_path: Path) -> None:
    app = MllmaugApp(
        canned_projects.copy_canned_project(tmp_path / "p", "busy").folder, readonly=True
    )
    async with app.run_test(size=(200, 24)) as pilot:
        await ready(pilot)
        keys = app.screen.query_one(KeyBar).render().plain
        assert "p Pause" not in keys
        assert "? Help" in keys and "q Quit" in keys
