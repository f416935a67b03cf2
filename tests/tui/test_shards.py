"""The Shards screen, by key."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.events import Key
from textual.widgets import Input

from db.connection import writing
from db.supervisor_writes import save_tasks
from tests.support import canned_projects as canned
from tests.tui.conftest import Asked, press, ready, said, settle, until
from tui.app import MllmaugApp
from tui.dialogs.confirm import Confirm
from tui.dialogs.details import Details
from tui.screens.shards import Shards
from tui.widgets.tables.shard_table import ShardTable

pytestmark = pytest.mark.asyncio
SIZE = (120, 36)


def make(tmp_path: Path, variant: str = "busy") -> MllmaugApp:
    return MllmaugApp(canned.copied(tmp_path / "cc3m-pilot", variant).folder)


async def shards(pilot: object, app: MllmaugApp) -> ShardTable:
    await ready(pilot)  # type: ignore[arg-type]
    await press(pilot, "2")  # type: ignore[arg-type]
    table = app.screen.query_one(ShardTable)
    await until(pilot, lambda: table.current is not None)  # type: ignore[arg-type]
    return table


async def test_ten_thousand_tasks(tmp_path: Path) -> None:
    app = make(tmp_path, "large")
    async with app.run_test(size=SIZE) as pilot:
        table = await shards(pilot, app)
        assert table.total == 10_000
        await press(pilot, "G")
        assert table.cursor == 9_999
        assert table.current is not None
        assert (table.current.shard, table.current.model_id) == (2_499, 4)
        await press(pilot, "g", "pagedown", "ctrl+d", "ctrl+u", "j", "k", "home", "down", "up")
        assert table.cursor == 0
        await press(pilot, "a")
        assert len(table.marked) == 10_000


async def test_what_is_typed_on_after_a_slash_is_no_command(tmp_path: Path) -> None:
    """As when a slow line brings several keys at once."""
    app = make(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await shards(pilot, app)
        for key in ("slash", "n", "r", "q"):
            app.post_message(Key(key, "/" if key == "slash" else key))
        await settle(pilot)
        assert isinstance(app.screen, Shards)
        assert isinstance(app.focused, Input)
        assert not app._exit


async def test_filter_sort_and_back(tmp_path: Path) -> None:
    app = make(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        table = await shards(pilot, app)
        await press(pilot, "slash")
        app.screen.query_one("#filter", Input).value = "status:failed"
        await settle(pilot)
        assert table.total == 3
        await press(pilot, "enter", "s", "s", "s", "s", "s", "s", "S")
        assert app.focused is table
        assert "by tries, descending" in said(app, "#count")
        await press(pilot, "escape")
        assert table.total == 1_324
        await press(pilot, "slash", "x", "colon", "1")
        assert "no key 'x'" in said(app, "#count")


async def test_the_cursor_and_marks_stay_while_rows_move(tmp_path: Path) -> None:
    project = canned.create(tmp_path / "p", shards=300, names=("llava-1.5",))
    app = MllmaugApp(tmp_path / "p")
    async with app.run_test(size=SIZE) as pilot:
        table = await shards(pilot, app)
        await press(pilot, "s", "s", "S", *"jjjj", "space")
        current, marked, place = table.current, set(table.marked), table.cursor
        assert current is not None
        from db import projects

        with writing(project.database) as connection:
            tasks = projects.tasks(connection)
            save_tasks(connection, [(tasks[-1], canned.give_up(tasks[-1]))])
            save_tasks(connection, [(tasks[200], canned.start(tasks[200], "cuda:0", 0.5))])
        await press(pilot, "ctrl+r")
        await until(pilot, lambda: table.row(0) is not None and table.row(0).state == "running")  # type: ignore[union-attr]
        assert table.current is not None
        assert table.current.id == current.id
        assert table.cursor != place
        assert table.marked == marked


@pytest.mark.parametrize(("key", "failed_items"), [("r", False), ("R", True)])
async def test_retry_asks_first(tmp_path: Path, asked: Asked, key: str, failed_items: bool) -> None:
    app = make(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        table = await shards(pilot, app)
        await press(pilot, "space", "j", "space", key)
        assert isinstance(app.screen, Confirm)
        assert app.focused is app.screen.query_one("#no")
        await press(pilot, "enter")
        assert asked.calls == []
        marked = sorted(table.marked, key=str)
        assert len(marked) == 2
        await press(pilot, key, "y")
        assert asked.calls == [("retry", {"tasks": marked, "failed_items": failed_items})]
        assert table.marked == set()


async def test_retry_takes_the_current_row_without_marks(tmp_path: Path, asked: Asked) -> None:
    app = make(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        table = await shards(pilot, app)
        await press(pilot, "j", "r", "n", "r", "escape", "r", "y")
        assert table.current is not None
        assert asked.calls == [("retry", {"tasks": [table.current.id], "failed_items": False})]


async def test_skip(tmp_path: Path, asked: Asked) -> None:
    app = make(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        table = await shards(pilot, app)
        await press(pilot, "x", "y")
        assert not asked.calls, "what is done cannot be skipped"
        await press(pilot, "slash", *"WAIT", "enter", "x", "y")
        assert table.current is not None
        assert asked.calls == [("skip", {"tasks": [table.current.id], "skip": True})]


async def test_range_click_and_detail(tmp_path: Path) -> None:
    app = make(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        table = await shards(pilot, app)
        await press(pilot, "space", "j", "j", "ctrl+@")
        assert len(table.marked) == 4
        await press(pilot, "escape")
        assert not table.marked
        await pilot.click(table, offset=(10, 7))
        assert table.cursor == 5
        app.screen.query_one("#filter", Input).value = "status:failed"
        await settle(pilot)
        await pilot.pause(0.3)
        await settle(pilot)
        detail = said(app, "TaskDetail")
        assert "attempt 3" in detail
        assert "12 records missing" in detail
        await press(pilot, "enter")
        assert isinstance(app.screen, Details)
        await press(pilot, "j", "k", "escape")
        assert isinstance(app.screen, Shards)
