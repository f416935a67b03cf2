"""The Shards screen, driven by keys."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from textual.events import Key
from textual.widgets import Input

from db.connection import writing
from db.supervisor_writes import save_tasks
from tests.support import canned_projects, canned_rows
from tests.tui.conftest import FakeRunControl, label_text, press, ready, settle, until
from tui.app import MllmaugApp
from tui.dialogs.ask_again import AskAgain
from tui.dialogs.confirm import Confirm
from tui.dialogs.details import Details
from tui.screens.shards import Shards
from tui.widgets.tables.shard_table import ShardTable

pytestmark = pytest.mark.asyncio
SIZE = (120, 36)


def make(tmp_path: Path, variant: str = "busy") -> MllmaugApp:
    return MllmaugApp(canned_projects.copy_canned_project(tmp_path / "cc3m-pilot", variant).folder)


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
    """A slow connection delivers several keys at once."""
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
        assert "by tries, descending" in label_text(app, "#count")
        await press(pilot, "escape")
        assert table.total == 1_324
        await press(pilot, "slash", "x", "colon", "1")
        assert "no key 'x'" in label_text(app, "#count")


async def test_the_cursor_and_marks_stay_while_rows_move(tmp_path: Path) -> None:
    project = canned_projects.make_new_project(tmp_path / "p", shards=300, names=("llava-1.5",))
    app = MllmaugApp(tmp_path / "p")
    async with app.run_test(size=SIZE) as pilot:
        table = await shards(pilot, app)
        await press(pilot, "s", "s", "S", *"jjjj", "space")
        current, marked, cursor = table.current, set(table.marked), table.cursor
        assert current is not None
        from db import projects

        with writing(project.database) as connection:
            tasks = projects.tasks(connection)
            save_tasks(connection, [(tasks[-1], canned_rows.failed_task(tasks[-1]))])
            save_tasks(
                connection, [(tasks[200], canned_rows.running_task(tasks[200], "cuda:0", 0.5))]
            )
        await press(pilot, "ctrl+r")
        await until(pilot, lambda: table.row(0) is not None and table.row(0).state == "running")
        assert table.current is not None
        assert table.current.id == current.id
        assert table.cursor != cursor
        assert table.marked == marked


@pytest.mark.parametrize(("key", "failed_items"), [("r", False), ("R", True)])
async def test_retry_asks_first(
    tmp_path: Path, run_control: FakeRunControl, key: str, failed_items: bool
) -> None:
    app = make(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        table = await shards(pilot, app)
        await press(pilot, "space", "j", "space", key)
        assert isinstance(app.screen, Confirm)
        assert app.focused is app.screen.query_one("#no")
        await press(pilot, "enter")
        assert run_control.calls == []
        marked = sorted(table.marked, key=str)
        assert len(marked) == 2
        await press(pilot, key, "y")
        assert run_control.calls == [("retry", {"tasks": marked, "failed_items": failed_items})]
        assert table.marked == set()


async def test_retry_takes_the_current_row_without_marks(
    tmp_path: Path, run_control: FakeRunControl
) -> None:
    app = make(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        table = await shards(pilot, app)
        await press(pilot, "j", "r", "n", "r", "escape", "r", "y")
        assert table.current is not None
        assert run_control.calls == [
            ("retry", {"tasks": [table.current.id], "failed_items": False})
        ]


async def test_bad_captions_are_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def ask(_: object, bad: list[str], changes: dict[str, str], tasks: list[int]) -> str:
        asked.append((bad, changes, tasks))
        return "2 captions of 1 model are asked again"

    monkeypatch.setattr("engine.operations.bad_captions.ask_again", ask)
    app = make(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        table = await shards(pilot, app)
        await press(pilot, "space", "j", "b")
        assert isinstance(app.screen, AskAgain)
        app.screen.query_one("#names", Input).value = "loops"
        app.screen.query_one("#prompt", Input).value = "What is this?"
        await press(pilot, "enter")
        await until(pilot, lambda: bool(asked))
        assert asked == [(["loops"], {"prompt": "What is this?"}, sorted(table.marked, key=str))]
        await press(pilot, "b", "escape")
        assert isinstance(app.screen, Shards)


async def test_skip(tmp_path: Path, run_control: FakeRunControl) -> None:
    app = make(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        table = await shards(pilot, app)
        await press(pilot, "x", "y")
        assert not run_control.calls, "what is done cannot be skipped"
        await press(pilot, "slash", tuple("WAIT"), "enter", "x", "y")
        assert table.current is not None
        assert run_control.calls == [("skip", {"tasks": [table.current.id], "skip": True})]


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
        detail = label_text(app, "TaskDetail")
        assert "attempt 3" in detail
        assert "12 records missing" in detail
        await press(pilot, "enter")
        assert isinstance(app.screen, Details)
        await press(pilot, "j", "k", "escape")
        assert isinstance(app.screen, Shards)


async def test_a_click_on_a_title_sorts(tmp_path: Path) -> None:
    app = make(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "2")
        screen = app.screen
        assert isinstance(screen, Shards)
        table = screen.table
        heading = "".join(segment.text for segment in table.heading_segments(table.size.width))
        left = table.content_region.x - table.region.x
        for title in ("Failed", "Model", "Error", "Captioned"):
            await pilot.click(table, offset=(left + heading.index(title), table.gutter.top))
            await until(pilot, partial(lambda title: table.sorted_by == title, title))
            assert not screen.task_query.descending
        await pilot.click(table, offset=(left + heading.index("Captioned"), table.gutter.top))
        await until(pilot, lambda: screen.task_query.descending)
        assert screen.task_query.sort == "captioned"
        await pilot.click(table, offset=(left, table.gutter.top))
        await pilot.pause()
        assert screen.task_query.sort == "captioned"
