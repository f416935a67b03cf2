"""Coverage, lengths, pin and Welcome, and keys at any time, driven by keys."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from pathlib import Path
from random import Random

import pytest
from textual.events import Key
from textual.pilot import Pilot
from textual.widgets import Input, OptionList

from db.task_pages import CoverageCell
from tests.support import canned_projects
from tests.support.pictures import make_captions
from tests.tui.conftest import (
    FakeRunControl,
    draw,
    label_text,
    open_wizard,
    press,
    ready,
    settle,
    until,
)
from tui.app import MllmaugApp
from tui.config import user_files
from tui.dialogs.confirm import Confirm
from tui.dialogs.coverage import Coverage, cell_sign
from tui.dialogs.lengths import Lengths
from tui.dialogs.pin import Pin
from tui.dialogs.report import Report, ReportProgress
from tui.screens.shards import Shards

pytestmark = pytest.mark.asyncio
SIZE = (120, 36)


def make(tmp_path: Path, variant: str = "busy", **options: object) -> MllmaugApp:
    return MllmaugApp(
        canned_projects.copy_canned_project(tmp_path / "p", variant, **options).folder
    )


async def submit(pilot: Pilot[Path], app: MllmaugApp, value: str) -> None:
    """Submit a value without the enter key, which would accept a completion first."""
    field = app.screen.query_one(Input)
    field.value = value
    await field.action_submit()
    await settle(pilot)


async def test_coverage(tmp_path: Path) -> None:
    app = make(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "c")
        assert isinstance(app.screen, Coverage)
        await until(pilot, lambda: "llava-1.5: 1 of 1 shard done" in label_text(app, "#cell"))
        assert "!" in label_text(app, "#matrix")
        await press(pilot, "n")
        assert "shard 00012, qwen-vl: 0 of 1 shard done, 1 failed" in label_text(app, "#cell")
        await press(pilot, "N", "n", "l", "k", "h", "j")
        assert "shard 00012, qwen-vl" in label_text(app, "#cell")
        await press(pilot, "enter")
        assert isinstance(app.screen, Shards)
        assert app.screen.query_one("#filter", Input).value == "shard:12 model:qwen-vl"


@pytest.mark.parametrize(
    ("values", "sign"),
    [
        ({"done": 2, "captioned": 200}, "█"),
        ({"done": 2, "captioned": 198, "failed_records": 2}, "█"),  # one in a hundred
        ({"done": 2, "captioned": 197, "failed_records": 3}, "x"),
        ({"done": 1, "skipped": 1, "captioned": 100}, "█"),
        ({"skipped": 2}, "-"),
        ({"done": 1, "failed": 1, "captioned": 100}, "!"),
        ({"done": 1, "captioned": 100}, "▒"),
        ({"running": 1, "captioned": 9}, "░"),
        ({}, "·"),
    ],
)
async def test_the_sign_of_a_cell_of_coverage(values: dict[str, int], sign: str) -> None:
    counts = dict.fromkeys(("done", "running", "failed", "skipped", "captioned"), 0)
    cell = CoverageCell(
        group=0, model_id=1, tasks=2, total=200, **({"failed_records": 0} | counts | values)
    )
    assert cell_sign(cell)[0] == sign


async def test_coverage_of_many_shards(tmp_path: Path) -> None:
    app = make(tmp_path, "large")
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        await press(pilot, "c")
        await until(pilot, lambda: "shards 00000 to" in label_text(app, "#cell"))
        await press(pilot, "l", "enter")
        assert isinstance(app.screen, Shards)
        assert "shard<" in app.screen.query_one("#filter", Input).value


async def test_lengths(tmp_path: Path) -> None:
    app = make(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "h")
        assert isinstance(app.screen, Lengths)
        await until(pilot, lambda: "median" in label_text(app, "#lengths"))
        await press(pilot, "j", "k", "escape")


async def test_priority_and_pin(tmp_path: Path, run_control: FakeRunControl) -> None:
    app = make(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "2", "plus")
        assert run_control.calls == [], "what is done has no priority"
        await press(pilot, "G", "plus", "minus")
        assert [(kind, call["by"]) for kind, call in run_control.calls] == [
            ("priority", 1),
            ("priority", -1),
        ]
        await press(pilot, "P")
        assert isinstance(app.screen, Pin)
        await press(pilot, "j", "j", "enter")
        assert run_control.calls[-1] == ("pin", {"device": "cuda:2", "model": "qwen-vl"})


async def test_priority_in_the_books(tmp_path: Path) -> None:
    from engine.operations.run_control import send_request
    from engine.requests.kinds import Prioritise
    from engine.utils.errors import RequestRefused

    project = canned_projects.copy_canned_project(tmp_path / "p", "create")
    raise_it = Prioritise(tasks=[3], by=1)
    assert send_request(project, raise_it).text.startswith("priority 1: 00002 llava-1.5")
    assert send_request(project, raise_it).text.startswith("priority 2")
    finished = canned_projects.copy_canned_project(tmp_path / "f", "finished")
    with pytest.raises(RequestRefused):
        send_request(finished, Prioritise(tasks=[1], by=1))


async def test_copy(tmp_path: Path) -> None:
    app = make(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "2", "y")
        await until(pilot, user_files.last_copy_file().exists)
        assert user_files.last_copy_file().read_text() == "00000"
        await press(pilot, "Y")
        await until(pilot, lambda: "llava-1.5\tDONE" in user_files.last_copy_file().read_text())
        assert app.clipboard == user_files.last_copy_file().read_text()
        await press(pilot, "3", "y")
        await until(pilot, lambda: user_files.last_copy_file().read_text().startswith("Two people"))
        await press(pilot, "Y")
        await until(pilot, lambda: "Original" in user_files.last_copy_file().read_text())
        assert user_files.last_copy_file().read_text().startswith("00002/004140039.jpg\n")


@pytest.mark.parametrize(
    ("key", "size"), [*((key, SIZE) for key in "12345"), ("1", (80, 24)), ("3", (80, 24))]
)
async def test_zoom(tmp_path: Path, key: str, size: tuple[int, int]) -> None:
    """A pane that is enlarged takes the whole screen but its first and last line."""
    app = make(tmp_path)
    async with app.run_test(size=size) as pilot:
        await ready(pilot)
        await press(pilot, key)
        for _ in range(len(app.screen.focus_chain)):
            pane = app.focused
            if not isinstance(pane, Input):
                await press(pilot, "z")
                assert app.screen.maximized is pane
                assert pane.region.size == (size[0], size[1] - 2), pane
                await press(pilot, "z")
                assert app.screen.maximized is None
            await press(pilot, "tab")


async def test_readonly(tmp_path: Path, run_control: FakeRunControl) -> None:
    folder = canned_projects.copy_canned_project(tmp_path / "p", "busy").folder
    app = MllmaugApp(folder, readonly=True)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "p", "2", "r", "R", "x", "plus", "P", "4", "r", "x")
        assert run_control.calls == []
        assert not isinstance(app.screen, Confirm)
        await press(pilot, "2", "question_mark")
        assert "Retry: opened with --readonly" in label_text(app, "#keys")
        await press(pilot, "escape", "q", "s", "K")
        assert run_control.calls == []


# Welcome


async def test_recent_projects(tmp_path: Path) -> None:
    folder = canned_projects.copy_canned_project(tmp_path / "[x] p", "create").folder
    user_files.remember_project(folder)
    user_files.remember_project(tmp_path / "gone")
    app = MllmaugApp(None)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        choices = app.screen.query_one(OptionList)
        assert choices.option_count == 4
        await press(pilot, "j", "j", "k", "j", "j", "enter")
    assert app.return_value == folder


async def test_open_by_name(tmp_path: Path) -> None:
    folder = canned_projects.copy_canned_project(tmp_path / "p", "create").folder
    app = MllmaugApp(None)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "o")
        await submit(pilot, app, str(tmp_path))
        assert not app._exit, "there is no project in it"
        await press(pilot, "o")
        await submit(pilot, app, str(folder))
        await until(pilot, lambda: app._exit)
    assert app.return_value == folder


async def close_all(pilot: Pilot[Path]) -> None:
    """Close all dialogs, and lose what was entered."""
    for _ in range(5):
        if len(pilot.app.screen_stack) > 1:
            await press(pilot, "y" if isinstance(pilot.app.screen, Confirm) else "escape")
    assert len(pilot.app.screen_stack) == 1


async def test_impatient_keys(tmp_path: Path) -> None:
    """A dialog whose fields are mounted later takes keys at once."""
    app = make(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        for key in ("e", "ctrl+n"):
            for _ in range(5):
                app.simulate_key(key)
                app.simulate_key("ctrl+n")
                app.simulate_key("escape")
            await settle(pilot)
            await close_all(pilot)
        await press(pilot, "e")
        assert app.focused is not None
        assert app.focused.id == "path"


@pytest.mark.parametrize("seed", range(2))
async def test_mashed_keys(tmp_path: Path, run_control: FakeRunControl, seed: int) -> None:
    """Dialogs are opened and closed over each other faster than they are mounted."""
    app, random = make(tmp_path), Random(seed)
    keys = [*"enTchMuDH?:12345/zjkdsafl", "tab", "enter", "ctrl+n", *["escape"] * 8]
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        for key in random.choices(keys, k=100):
            app.post_message(Key(key, key if len(key) == 1 else None))
            await asyncio.sleep(random.choice((0, 0, 0.01, 0.05)))
            draw(app)
        await settle(pilot)
        assert app._exception is None


async def test_a_dialog_closes_itself_alone(tmp_path: Path) -> None:
    app = make(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        below, above = Confirm("a?", ""), Confirm("b?", "")
        app.push_screen(below)
        app.push_screen(above)
        await settle(pilot)
        above.dismiss(False)
        above.dismiss(False)
        await settle(pilot)
        assert app.screen is below


def shows(app: MllmaugApp, field: str) -> bool:
    """Return True if the screen in front has this field."""
    return bool(app.screen.query(field))


def holds(field: Input, text: str) -> bool:
    return field.value == text


async def test_what_is_typed_before_a_field_is_there_goes_to_it(tmp_path: Path) -> None:
    app = make(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "3")
        for key, field in (("ctrl+n", "#captions"), ("e", "#path"), ("slash", "#line")):
            for typed in (key, *"data"):
                app.post_message(Key(typed, typed if len(typed) == 1 else None))
            await until(pilot, partial(shows, app, field))
            path = app.screen.query_one(field, Input)
            await until(pilot, partial(holds, path, "data"))
            await close_all(pilot)


async def test_a_key_that_cannot_work_says_why(tmp_path: Path) -> None:
    app = MllmaugApp(
        canned_projects.copy_canned_project(tmp_path / "p", "busy").folder, readonly=True
    )
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "p", "u", "f5")
        messages = [each.message for each in app._notifications]
        assert "Pause: opened with --readonly" in messages
        assert len(messages) == 2


async def test_completion(tmp_path: Path) -> None:
    make_captions(tmp_path / "[x] data", 2)
    (tmp_path / "[x] data2").mkdir()
    app = MllmaugApp(None)
    async with app.run_test(size=SIZE) as pilot:
        wizard = await open_wizard(pilot)
        captions = wizard.query_one("#captions", Input)
        captions.value = f"{tmp_path}/[x] data/cap"
        captions.cursor_position = len(captions.value)
        await press(pilot, "enter")
        assert captions.value == f"{tmp_path}/[x] data/captions.json"
        await until(pilot, lambda: "2 of the first 2 images" in label_text(app, "#source-seen"))
        await press(pilot, "tab")
        root = wizard.query_one("#root", Input)
        assert app.focused is root
        root.value = f"{tmp_path}/[x] data"
        root.cursor_position = len(root.value)
        await press(pilot, "tab")
        assert root.value == f"{tmp_path}/[x] data", "it is there as it was typed"
        assert app.focused is wizard.query_one("#folder")


async def test_what_a_report_waits_for_ends_when_it_is_closed(tmp_path: Path) -> None:
    steps: list[str] = []

    def endless(progress: ReportProgress) -> list[str]:
        try:
            while True:
                progress(len(steps), 1000)
                steps.append("step")
                time.sleep(0.01)
        finally:
            steps.append("end")

    app = make(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        app.push_screen(Report("Endless", endless))
        await until(
            pilot, lambda: "step" in steps and "of 1,000 shards" in label_text(app, "#lines")
        )
        await press(pilot, "escape")
        await until(pilot, lambda: steps[-1] == "end")
