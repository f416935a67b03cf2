"""What keys do, on every screen."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Input, Static

from db.connect import writing
from db.run import save_tasks
from engine.errors import Refused
from tests import canned
from tests.tui.conftest import Asked, press, ready, settle, until
from tui.app import MllmaugApp
from tui.images import Drawing
from tui.screens.confirm import Confirm
from tui.screens.dashboard import Dashboard
from tui.screens.details import Details
from tui.screens.export import Export
from tui.screens.help import OFF, Help, entries
from tui.screens.leave import Leave
from tui.screens.samples import Samples
from tui.screens.shards import Shards
from tui.screens.too_small import TooSmall
from tui.screens.welcome import Welcome
from tui.widgets.preview import Cells, Preview
from tui.widgets.record_table import RecordTable
from tui.widgets.shard_table import ShardTable
from tui.widgets.throughput import Throughput

pytestmark = pytest.mark.asyncio
SIZE = (120, 36)


def make(tmp_path: Path, variant: str = "busy") -> MllmaugApp:
    return MllmaugApp(canned.copied(tmp_path / "cc3m-pilot", variant).folder)


def said(app: MllmaugApp, selector: str) -> str:
    return str(app.screen.query_one(selector, Static).content)


async def test_modes(tmp_path: Path) -> None:
    app = make(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        assert isinstance(app.screen, Dashboard)
        await press(pilot, "2")
        assert isinstance(app.screen, Shards)
        await press(pilot, "3")
        assert isinstance(app.screen, Samples)
        await press(pilot, "1")
        assert isinstance(app.screen, Dashboard)


async def test_opening_and_closing_ask_for_nothing(tmp_path: Path, asked: Asked) -> None:
    app = make(tmp_path, "create")
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "q")
    assert asked.calls == []
    assert app.return_code == 0


async def test_a_folder_without_a_project_ends_with_code_2(tmp_path: Path) -> None:
    app = MllmaugApp(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.return_code == 2)


@pytest.mark.parametrize(
    ("variant", "label", "kind"), [("busy", "pause", "pause"), ("create", "start", "start")]
)
async def test_p(tmp_path: Path, asked: Asked, variant: str, label: str, kind: str) -> None:
    app = make(tmp_path, variant)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        assert app.run_label == label
        await press(pilot, "p")
        assert asked.calls == [(kind, {})]


async def test_p_resumes_what_is_paused(tmp_path: Path, asked: Asked) -> None:
    canned.copied(tmp_path / "p", "busy", shards=60, paused=True)
    app = MllmaugApp(tmp_path / "p")
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "p")
        assert asked.calls == [("resume", {})]


async def test_p_is_off_when_everything_is_captioned(tmp_path: Path, asked: Asked) -> None:
    app = make(tmp_path, "finished")
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "p", "question_mark")
        assert asked.calls == []
        assert "everything is captioned" in said(app, "#keys")


async def test_a_refusal_is_shown_and_nothing_breaks(tmp_path: Path, asked: Asked) -> None:
    app = make(tmp_path)
    asked.error = Refused("not now: [/x] \x1b[31m")
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "p")
        assert app.asking is False
        asked.error = RuntimeError("[bold]what[/]")
        await press(pilot, "p")
        assert len(asked.calls) == 2


@pytest.mark.parametrize(
    ("key", "calls"),
    [
        ("d", []),
        ("s", [("stop", {"after_shard": True})]),
        ("K", [("stop", {"after_shard": False})]),
    ],
)
@pytest.mark.parametrize("way", ["q", "ctrl+q", "ctrl+c"])
async def test_quit(tmp_path: Path, asked: Asked, key: str, calls: list[object], way: str) -> None:
    app = make(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await pilot.press(way)
        await until(pilot, lambda: isinstance(app.screen, Leave))
        await pilot.press(key)
        await until(pilot, lambda: app._exit)
    assert asked.calls == calls


async def test_staying(tmp_path: Path, asked: Asked) -> None:
    app = make(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "q", "ctrl+c", "escape")
        assert isinstance(app.screen, Dashboard)
        assert asked.calls == []


async def test_a_refused_stop_stays_open(tmp_path: Path, asked: Asked) -> None:
    app = make(tmp_path)
    asked.error = Refused("no")
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "q", "s")
        assert not app._exit


async def test_help_searches_and_says_why_not(tmp_path: Path) -> None:
    app = make(tmp_path, "create")
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "question_mark")
        assert isinstance(app.screen, Help)
        keys = said(app, "#keys")
        assert keys.index("Focused pane") < keys.index("Everywhere") < keys.index("Disabled now")
        assert "there is no caption yet" in keys
        await press(pilot, "slash", *"capt")
        assert "Suspend" not in said(app, "#keys")
        await press(pilot, "escape", "escape")
        assert isinstance(app.screen, Dashboard)


async def test_every_binding_is_declared_whole(tmp_path: Path) -> None:
    app = make(tmp_path)
    seen: set[str] = set()
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        for mode in "12345":
            await press(pilot, mode)
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


async def test_palette_lists_what_can_be_done(tmp_path: Path, asked: Asked) -> None:
    app = make(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "2", "colon", *"unfil", "enter")
        await press(pilot, "escape")
        await press(pilot, "ctrl+p", *"pause")
        await pilot.pause(0.5)
        await press(pilot, "enter")
        await until(pilot, lambda: asked.calls == [("pause", {})])


async def test_window(tmp_path: Path) -> None:
    app = make(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        plot = app.screen.query_one(Throughput)
        plot.focus()
        before = len(plot.points)
        await press(pilot, "t")
        assert len(plot.points) != before
        await press(pilot, "t", "t", "t")
        assert len(plot.points) == before


async def test_too_small(tmp_path: Path, asked: Asked) -> None:
    app = make(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await pilot.resize_terminal(79, 24)
        await pilot.pause()
        assert isinstance(app.screen, TooSmall)
        await press(pilot, "p", "2", "e")
        assert asked.calls == []
        assert isinstance(app.screen, TooSmall)
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert isinstance(app.screen, Dashboard)


async def test_welcome() -> None:
    app = MllmaugApp(None)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert isinstance(app.screen, Welcome)
        await press(pilot, "2", "p", "e")
        assert isinstance(app.screen, Welcome)
        await press(pilot, "q")
    assert app.return_code == 0


# Shards


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


# Samples


async def test_samples(tmp_path: Path) -> None:
    app = make(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "3")
        screen = app.screen
        assert isinstance(screen, Samples)
        table = screen.query_one(RecordTable)
        assert table.total == 10, "40 captions of ten images"
        await until(
            pilot, lambda: "//. The sky behind them is grey and//" in said(app, "#captions")
        )
        shown = said(app, "#captions")
        assert all(name in shown for name in canned.FAMILIES), "every model, same image"
        assert "couple on bench" in shown
        await press(pilot, "b")
        assert "//" not in said(app, "#captions")
        await press(pilot, "b")
        assert "sheared  Two people" in said(app, "#captions")
        await press(pilot, "d")
        assert "{+A red car" in said(app, "#captions")
        await press(pilot, "m", "m")
        assert "> otter" in said(app, "#captions")
        assert "[-A red car" in said(app, "#captions")
        await press(pilot, "j")
        assert not screen.live, "moving the cursor stops following"
        await press(pilot, "l")
        assert screen.live
        assert table.cursor == 0
        await press(pilot, "enter")
        assert isinstance(app.screen, Details)


async def test_the_picture(tmp_path: Path) -> None:
    app = make(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "3")
        picture = app.screen.query_one(Cells)
        await until(pilot, lambda: picture.strips)
        assert picture.strips[0].text.startswith("▀" * 44)
        assert "64x48" in str(app.screen.query_one(Preview).border_subtitle)
        await press(pilot, "i")
        assert not app.screen.query_one(Preview).display
        await press(pilot, "i")
        assert app.screen.query_one(Preview).display


async def test_no_picture_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "cc3m-pilot"
    canned.copied(folder, "busy", shards=60)
    app = MllmaugApp(folder, drawing=Drawing("none", "this terminal cannot show pictures"))
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "3")
        assert "this terminal cannot show pictures" in said(app, "#why")
    (folder / "images" / "00002" / "004140039.jpg").write_text("no picture")
    app = MllmaugApp(folder)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "3")
        await until(pilot, lambda: "corrupt" in said(app, "#why"))


@pytest.mark.parametrize(
    ("words", "place"),
    [("40/2", (40, 2)), ("420009", (42, 9)), ("004140037", (41, 7)), ("alt text 5", (42, 5))],
)
async def test_jump(tmp_path: Path, words: str, place: tuple[int, int]) -> None:
    folder = tmp_path / "p"
    project = canned.copied(folder, "busy", shards=60)
    canned.write_missing_shards(project, 60)
    app = MllmaugApp(folder)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "3", "J", *words, "enter")
        table = app.screen.query_one(RecordTable)
        await until(
            pilot, lambda: table.current and (table.current.shard, table.current.i) == place
        )
        assert not app.screen.live  # type: ignore[attr-defined]
        await press(pilot, "escape")
        assert app.screen.live  # type: ignore[attr-defined]


async def test_live_follows_and_off_stays(tmp_path: Path) -> None:
    from db.run import add_samples

    folder = tmp_path / "p"
    project = canned.copied(folder, "busy", shards=60)
    app = MllmaugApp(folder)
    new = canned.sample(99, 1, "New one. And more", "old", "new.jpg")
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "3", "l", "j")
        table = app.screen.query_one(RecordTable)
        before = table.current
        with writing(project.database) as connection:
            add_samples(connection, [new])
        await press(pilot, "ctrl+r")
        await until(pilot, lambda: table.total == 11)
        assert table.current == before
        await press(pilot, "l")
        assert table.current is not None
        assert table.current.image == "new.jpg"


# What comes from outside


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


async def test_export_dialog_with_a_hostile_name(tmp_path: Path) -> None:
    canned.create(tmp_path / "p", shards=2, size=10, names=(canned.HOSTILE,))
    app = MllmaugApp(tmp_path / "p")
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        assert app.project is not None
        assert app.snapshot is not None
        app.push_screen(Export(app.project, app.snapshot))
        await settle(pilot)
        app.tell(canned.HOSTILE)
        await pilot.pause()


async def test_no_color(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = make(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "2", "3", "1")
        text = "\n".join(strip.text for strip in app.screen._compositor.render_strips())
        assert "RUN" in text
        assert "LOAD" in text


@pytest.mark.parametrize("variant", ["create", "busy", "finished"])
@pytest.mark.parametrize("readonly", [False, True])
async def test_help_has_the_reason_for_every_greyed_key(
    tmp_path: Path, variant: str, readonly: bool
) -> None:
    app = MllmaugApp(canned.copied(tmp_path / "p", variant).folder, readonly=readonly)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        for mode in "12345":
            await press(pilot, mode)
            off = [entry.what for entry in entries(app.screen, app.focused) if entry.section == OFF]
            for active in app.screen.active_bindings.values():
                if not active.enabled and active.binding.id:
                    name = f"{active.binding.description}: "
                    reasons = [what for what in off if what.startswith(name)]
                    assert reasons, f"{active.binding} on {app.screen}"
                    assert all(len(reason) > len(name) for reason in reasons)
