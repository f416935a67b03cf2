"""The Logs screen, driven by keys."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests.support import canned_projects
from tests.tui.conftest import press, ready, until
from tui.app import MllmaugApp
from tui.screens.logs import Logs
from tui.widgets.log_view import LogView, level_of

pytestmark = pytest.mark.asyncio
SIZE = (120, 36)


def make(tmp_path: Path, variant: str = "busy", **options: object) -> MllmaugApp:
    return MllmaugApp(
        canned_projects.copy_canned_project(tmp_path / "p", variant, **options).folder
    )


async def logs(pilot: Pilot[Path], app: MllmaugApp) -> LogView:
    await ready(pilot)
    await press(pilot, "5")
    assert isinstance(app.screen, Logs)
    view = app.screen.query_one(LogView)
    await until(pilot, lambda: view.rows)
    return view


async def test_levels_sources_and_search(tmp_path: Path) -> None:
    app = make(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        view = await logs(pilot, app)
        assert len(view.rows) == 17
        await press(pilot, "L")
        assert {line.level for line, _ in view.rows} == {"warn", "fail"}
        await press(pilot, "L")
        assert len(view.rows) == 8, "a traceback's lines belong to it"
        await press(pilot, "L", "right_square_bracket", "right_square_bracket")
        assert {line.source for line, _ in view.rows} == {"cuda-0"}
        await press(pilot, "left_square_bracket", "left_square_bracket")
        await press(pilot, "slash", tuple("GPU"), "enter")
        assert len(view.match_rows) == 4
        assert not view.follow
        assert view.current_match == view.match_rows[-1], "the newest first"
        await press(pilot, "n")
        assert view.current_match == view.match_rows[0], "round and back"
        await press(pilot, "N")
        assert view.current_match == view.match_rows[-1]
        await press(pilot, "escape")
        assert not view.match_rows


async def test_follow_and_wrap(tmp_path: Path) -> None:
    app = make(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        view = await logs(pilot, app)
        log = tmp_path / "p" / "logs" / "worker-cuda-0.log"
        with log.open("a") as file:
            file.writelines(f"[/x] line {n} \x1b[31m\n" for n in range(99))
            file.write("y" * 300 + "\n")
        await until(pilot, lambda: len(view.rows) > 120)
        await press(pilot, "w")
        assert len(view.rows) == 117
        assert view.scroll_offset.y == 117 - view.scrollable_content_region.height
        await press(pilot, "w")
        assert len(view.rows) > 120
        await press(pilot, "g")
        assert not view.follow
        assert view.scroll_offset.y == 0
        await press(pilot, "j", "pagedown", "k", "pageup", "G")
        assert view.follow
        await press(pilot, "f")
        assert not view.follow
        for strip in app.screen._compositor.render_strips():
            assert "\x1b" not in strip.text


@pytest.mark.parametrize(("size", "wraps"), [((80, 24), True), ((120, 36), False)])
async def test_a_narrow_terminal_shows_whole_messages(
    tmp_path: Path, size: tuple[int, int], wraps: bool
) -> None:
    app = make(tmp_path)
    line = "2026-11-29 20:00:00,123 warn  cuda:0  qwen2.5-vl  shard 00012  "
    line += "attempt 3 ended: the graphics driver was reloaded meanwhile; starts again in 40 s\n"
    (tmp_path / "p" / "logs" / "supervisor.log").write_text(line)
    async with app.run_test(size=size) as pilot:
        view = await logs(pilot, app)
        assert view.wrap == wraps
        await press(pilot, "g")
        shown = "".join(text for row, text in view.rows if row.source == "supervisor")
        assert shown == line.strip()
        drawn = [strip.text for strip in app.screen._compositor.render_strips()]
        assert any("again in 40 s" in text for text in drawn) == wraps


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("batch 48 in 0.7 s", "info"),
        ("UserWarning: x", "warn"),
        ("2025-10-09 warn device rests", "warn"),
        ("ValueError: no", "fail"),
        ("ERROR out of memory", "fail"),
        ("Loading failure-free layers", "info"),
    ],
)
async def test_level_of(line: str, level: str) -> None:
    assert level_of(line, "info") == level
