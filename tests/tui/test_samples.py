"""The Samples screen, driven by keys."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import delete

from db.connection import writing
from db.rows import Rating
from db.tables import FLAG, SUPERVISOR
from tests.support import canned_projects, canned_rows
from tests.tui.conftest import FakeRunControl, label_text, press, ready, until
from tui.app import MllmaugApp
from tui.screens.samples import Samples
from tui.terminal.graphics import ImageSupport
from tui.widgets.half_blocks import HalfBlockImage, HalfBlocks
from tui.widgets.preview import Preview
from tui.widgets.tables.record_table import RecordTable

pytestmark = pytest.mark.asyncio
SIZE = (120, 36)


def make(tmp_path: Path, variant: str = "busy") -> MllmaugApp:
    return MllmaugApp(canned_projects.copy_canned_project(tmp_path / "cc3m-pilot", variant).folder)


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
            pilot, lambda: "//. The sky behind them is grey and//" in label_text(app, "#captions")
        )
        shown = label_text(app, "#captions")
        assert all(name in shown for name in canned_rows.FAMILIES), "every model, same image"
        assert "couple on bench" in shown
        await press(pilot, "b")
        assert "//" not in label_text(app, "#captions")
        await press(pilot, "b")
        assert "sheared  Two people" in label_text(app, "#captions")
        await press(pilot, "d")
        assert "{+A red car" in label_text(app, "#captions")
        await press(pilot, "m", "m")
        assert "> otter" in label_text(app, "#captions")
        assert "[-A red car" in label_text(app, "#captions")
        await press(pilot, "j")
        assert not screen.live, "moving the cursor stops following"
        await press(pilot, "l")
        assert screen.live
        assert table.cursor == 0


async def test_the_picture(tmp_path: Path) -> None:
    app = make(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "3")
        picture = app.screen.query_one(HalfBlockImage)
        await until(pilot, lambda: picture.strips)
        assert picture.strips[0].text.startswith("▀" * 54)
        assert "64x48" in str(app.screen.query_one(Preview).border_subtitle)
        await press(pilot, "i")
        assert not app.screen.query_one(Preview).display
        await press(pilot, "i")
        assert app.screen.query_one(Preview).display


@pytest.mark.parametrize(
    ("size", "drawn"),
    [((80, 24), (38, 13)), ((120, 36), (58, 21)), ((200, 60), (98, 45))],
    ids=["80x24", "120x36", "200x60"],
)
async def test_the_picture_has_half_the_screen(
    tmp_path: Path, size: tuple[int, int], drawn: tuple[int, int]
) -> None:
    app = make(tmp_path)
    async with app.run_test(size=size) as pilot:
        await ready(pilot)
        await press(pilot, "3")
        picture = app.screen.query_one(HalfBlockImage)
        await until(pilot, lambda: picture.strips)
        assert picture.size == drawn
        widest = round(min(drawn[0], drawn[1] * 2 * 64 / 48))
        assert picture.strips[0].cell_length == widest


async def test_the_picture_on_the_whole_screen(tmp_path: Path) -> None:
    app = make(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "3")
        screen, table = app.screen, app.screen.query_one(RecordTable)
        preview = screen.query_one(Preview)
        await until(pilot, lambda: preview.wanted is not None)
        for key, back in [("Z", "Z"), ("enter", "enter"), ("Z", "escape")]:
            await press(pilot, key)
            assert screen.maximized is preview
            assert preview.region.size == (120, 34), "all but the status bar and the key bar"
            before = table.cursor
            await press(pilot, "j", "right", "k")
            assert table.cursor == before + 1
            assert table.current is not None
            await until(pilot, lambda: preview.image == table.current.image)
            await press(pilot, back)
            assert screen.maximized is None
            assert app.focused is table
        await press(pilot, "i", "Z")
        assert preview.display, "a hidden picture is shown"
        await press(pilot, "Z", "shift+tab", "shift+tab")
        assert app.focused is preview
        await press(pilot, "enter")
        assert screen.maximized is preview


async def test_a_picture_is_read_once_and_drawn_when_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[object] = []
    show = HalfBlockImage.show

    def record_and_show(self: HalfBlockImage, strips: HalfBlocks) -> None:
        drawn.append(strips)
        show(self, strips)

    monkeypatch.setattr(HalfBlockImage, "show", record_and_show)
    app = make(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "3")
        await until(pilot, lambda: drawn)
        await press(pilot, "ctrl+r", "d", "b", "m")
        assert len(drawn) == 1
        await press(pilot, "j")
        await until(pilot, lambda: len(drawn) == 2)
        await press(pilot, "k")
        await until(pilot, lambda: len(drawn) == 3)
        assert drawn[2] is drawn[0], "from the cache"


@pytest.mark.parametrize(
    ("size", "columns"), [((80, 24), 3), (SIZE, 4), ((200, 60), 7)], ids=["80x24", "120x36", "200"]
)
async def test_the_grid(
    tmp_path: Path, run_control: FakeRunControl, size: tuple[int, int], columns: int
) -> None:
    folder = tmp_path / "cc3m-pilot"
    canned_projects.copy_canned_project(folder, "busy", shards=60)
    (folder / "images" / "00002" / "004140039.jpg").write_text("no picture")
    app = MllmaugApp(folder)
    async with app.run_test(size=size) as pilot:
        await ready(pilot)
        await press(pilot, "3", "t")
        screen = app.screen
        assert isinstance(screen, Samples)
        grid, table = screen.grid, screen.table
        assert app.focused is grid
        assert grid.columns == columns
        await until(pilot, lambda: len(grid.thumbnails) == len(grid.page))
        lines = [strip.text for strip in screen._compositor.render_strips()]
        assert any("> flag corrupt: not an" in line for line in lines)
        assert any("a plate of pasta" in line for line in lines)
        await press(pilot, "right", "down")
        assert table.cursor == 1 + columns
        await press(pilot, "up", "left", "end", "home", "pagedown", "pageup", "l", "j", "k", "h")
        assert table.cursor == 0
        await press(pilot, "space", "space")
        assert len(table.marked) == 2
        keys = screen.chosen_keys()
        lines = [strip.text for strip in screen._compositor.render_strips()]
        assert sum(line.count(" *") for line in lines) == 2
        await press(pilot, "f")
        assert [tuple(key) for key in run_control.calls[0][1]["places"]] == keys  # type: ignore[attr-defined]
        assert run_control.calls[0][1]["flagged"] is True, "the first one has a flag already"
        assert not table.marked
        await press(pilot, "space", "escape")
        assert screen.in_grid
        assert not table.marked
        shown = dict(grid.thumbnails)
        await press(pilot, "m", "m")
        await until(pilot, lambda: len(grid.thumbnails) == len(grid.page))
        assert grid.thumbnails != shown, "the captions of another model"
        await pilot.click(grid, offset=(30, 3))
        assert table.cursor == 1
        await press(pilot, "Z")
        assert screen.maximized is screen.preview
        await press(pilot, "escape", "t", "escape")
        assert not screen.in_grid
        assert app.focused is table


async def test_no_picture_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "cc3m-pilot"
    canned_projects.copy_canned_project(folder, "busy", shards=60)
    app = MllmaugApp(
        folder, image_support=ImageSupport("none", "this terminal cannot show pictures")
    )
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "3")
        assert "this terminal cannot show pictures" in label_text(app, "#why")
    (folder / "images" / "00002" / "004140039.jpg").write_text("no picture")
    app = MllmaugApp(folder)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "3")
        await until(pilot, lambda: "corrupt" in label_text(app, "#why"))


@pytest.mark.parametrize(
    ("typed", "key"),
    [
        ("40/2", (40, 2)),
        ("40:2", (40, 2)),
        ("420009", (42, 9)),
        ("004140037", (41, 7)),
        ("alt text 5", (42, 5)),
    ],
)
async def test_jump(tmp_path: Path, typed: str, key: tuple[int, int]) -> None:
    folder = tmp_path / "p"
    project = canned_projects.copy_canned_project(folder, "busy", shards=60)
    canned_projects.write_missing_shards(project, 60)
    app = MllmaugApp(folder)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "3", "J", *typed, "enter")
        table = app.screen.query_one(RecordTable)
        await until(pilot, lambda: table.current and (table.current.shard, table.current.i) == key)
        assert not app.screen.live  # type: ignore[attr-defined]
        await press(pilot, "escape")
        assert app.screen.live  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("900/1", "there is no record 900/1: shards are 0 to 59"),
        ("7:10000", "there is no record 7:10000: shard 7 has 0 to 9999"),
        ("[/x]", "no image path or caption holds '[/x]'; 7/120 or 7:120 goes to place 120"),
    ],
)
async def test_a_jump_to_nowhere_says_what_it_takes(
    tmp_path: Path, typed: str, sentence: str
) -> None:
    folder = tmp_path / "p"
    canned_projects.write_missing_shards(
        canned_projects.copy_canned_project(folder, "busy", shards=60), 60
    )
    app = MllmaugApp(folder)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "3", "J", *typed, "enter")
        await until(pilot, lambda: [n for n in app._notifications if sentence in n.message])


async def test_flags(tmp_path: Path) -> None:
    folder = tmp_path / "p"
    project = canned_projects.copy_canned_project(folder, "busy", shards=60)
    canned_projects.write_missing_shards(project, 60)
    with writing(project.database) as connection:
        connection.execute(delete(SUPERVISOR))  # with no run, requests are carried out here
        connection.execute(delete(FLAG))
    app = MllmaugApp(folder)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "3")
        screen = app.screen
        assert isinstance(screen, Samples)
        assert screen.why_not("next_flag") == "no record is flagged"
        table, captions = screen.query_one(RecordTable), screen.query_one(".detail")
        first = (table.current.shard, table.current.i)
        await press(pilot, "f", "j", "j", "f")
        await until(pilot, lambda: len(screen.flags) == 2)
        assert "flagged (f)" in str(captions.border_title)
        lines = [strip.text for strip in app.screen._compositor.render_strips()]
        assert sum(" flag " in line for line in lines) == 2
        second = (table.current.shard, table.current.i)
        await press(pilot, "F")
        await until(pilot, lambda: screen.shard == first[0])
        assert (table.current.shard, table.current.i) == first
        assert not screen.live
        await press(pilot, "F")
        await until(pilot, lambda: (table.current.shard, table.current.i) == second)
        await press(pilot, "f", "f", "f")
        await until(pilot, lambda: screen.flags == {first})
        await until(pilot, lambda: "flagged" not in str(captions.border_title))


async def test_captions_are_rated_for_a_reason(tmp_path: Path) -> None:
    folder = tmp_path / "p"
    project = canned_projects.copy_canned_project(folder, "busy", shards=60)
    canned_projects.write_missing_shards(project, 60)
    with writing(project.database) as connection:
        connection.execute(delete(SUPERVISOR))  # with no run, requests are carried out here
        connection.execute(delete(FLAG))
    app = MllmaugApp(folder)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "3")
        screen = app.screen
        assert isinstance(screen, Samples)
        await until(pilot, lambda: screen.chosen_caption is not None)
        await press(pilot, "m", "w", *"no [dog]", "enter")
        await until(pilot, lambda: "bad: no [dog]" in screen.captions.shown.plain)
        assert list(screen.ratings.values()) == [Rating(False, "no [dog]")]
        assert not screen.flags
        lines = [strip.text for strip in app.screen._compositor.render_strips()]
        assert sum(" bad " in line for line in lines) == 1
        await press(pilot, "f")
        await until(pilot, lambda: screen.flags)
        lines = [strip.text for strip in app.screen._compositor.render_strips()]
        assert sum(" flag bad " in line for line in lines) == 1
        await press(pilot, "t")
        row = screen.table.current
        assert row is not None and screen.caption_label(row) == "flag bad"
        await press(pilot, "t", "f")
        await until(pilot, lambda: not screen.flags)
        assert screen.why_not("next_flag") is None
        await press(pilot, "w")
        await until(pilot, lambda: not screen.ratings)
        await until(pilot, lambda: "no [dog]" not in screen.captions.shown.plain)
        await press(pilot, "t", "space", "space", "plus", *"exact", "enter")
        await until(pilot, lambda: list(screen.ratings.values()) == [Rating(True, "exact")] * 2)
        assert len({model for _, _, model in screen.ratings}) == 1
        assert screen.why_not("next_flag") == "no record is flagged"
        await press(pilot, "minus", "enter")
        await until(pilot, lambda: Rating(False, "") in screen.ratings.values())


async def test_live_follows_and_off_stays(tmp_path: Path) -> None:
    from db.supervisor_writes import add_samples

    folder = tmp_path / "p"
    project = canned_projects.copy_canned_project(folder, "busy", shards=60)
    app = MllmaugApp(folder)
    new = canned_rows.sample_row(99, 1, "New one. And more", "old", "new.jpg")
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
