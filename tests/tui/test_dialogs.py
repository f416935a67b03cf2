"""Wizard, pilot, coverage, lengths, pin, welcome: by key."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from random import Random
from threading import Event

import pytest
from textual.events import Key
from textual.widgets import Button, Input, OptionList

from engine.images import ImageProblem
from engine.peek import peek
from engine.project import Project
from tests import canned
from tests.support import make_captions
from tests.tui.conftest import Asked, press, ready, said, settle, until
from tui import places
from tui.app import MllmaugApp
from tui.screens.confirm import Confirm
from tui.screens.coverage import Coverage
from tui.screens.lengths import Lengths
from tui.screens.pilot import Pilot
from tui.screens.pin import Pin
from tui.screens.report import Progress, Report
from tui.screens.shards import Shards
from tui.screens.wizard import source
from tui.screens.wizard.models import Models
from tui.screens.wizard.wizard import Wizard
from tui.widgets.tick import Tick

pytestmark = pytest.mark.asyncio
SIZE = (120, 36)


def make(tmp_path: Path, variant: str = "busy", **options: object) -> MllmaugApp:
    return MllmaugApp(canned.copied(tmp_path / "p", variant, **options).folder)


async def submit(pilot, app: MllmaugApp, value: str) -> None:
    """Enter would take a completion first."""
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
        await until(pilot, lambda: "llava-1.5: 1 of 1 shard done" in said(app, "#cell"))
        assert "!" in said(app, "#matrix")
        await press(pilot, "n")
        assert "shard 00012, qwen-vl: 0 of 1 shard done, 1 failed" in said(app, "#cell")
        await press(pilot, "N", "n", "l", "k", "h", "j")
        assert "shard 00012, qwen-vl" in said(app, "#cell")
        await press(pilot, "enter")
        assert isinstance(app.screen, Shards)
        assert app.screen.query_one("#filter", Input).value == "shard:12 model:qwen-vl"


async def test_coverage_of_many_shards(tmp_path: Path) -> None:
    app = make(tmp_path, "large")
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        await press(pilot, "c")
        await until(pilot, lambda: "shards 00000 to" in said(app, "#cell"))
        await press(pilot, "l", "enter")
        assert isinstance(app.screen, Shards)
        assert "shard<" in app.screen.query_one("#filter", Input).value


async def test_lengths(tmp_path: Path) -> None:
    app = make(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "h")
        assert isinstance(app.screen, Lengths)
        await until(pilot, lambda: "median" in said(app, "#lengths"))
        await press(pilot, "j", "k", "escape")


async def test_priority_and_pin(tmp_path: Path, asked: Asked) -> None:
    app = make(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "2", "plus")
        assert asked.calls == [], "what is done has no priority"
        await press(pilot, "G", "plus", "minus")
        assert [(kind, call["by"]) for kind, call in asked.calls] == [
            ("priority", 1),
            ("priority", -1),
        ]
        await press(pilot, "P")
        assert isinstance(app.screen, Pin)
        await press(pilot, "j", "j", "enter")
        assert asked.calls[-1] == ("pin", {"device": "cuda:2", "model": "qwen-vl"})


async def test_priority_in_the_books(tmp_path: Path) -> None:
    from engine.control import ask
    from engine.errors import Refused

    project = canned.copied(tmp_path / "p", "create")
    assert ask(project, "priority", tasks=[3], by=1).startswith("priority 1: 00002 llava-1.5")
    assert ask(project, "priority", tasks=[3], by=1).startswith("priority 2")
    with pytest.raises(Refused):
        ask(canned.copied(tmp_path / "f", "finished"), "priority", tasks=[1], by=1)


async def test_copy(tmp_path: Path) -> None:
    app = make(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "2", "y")
        await until(pilot, places.last_copy().exists)
        assert places.last_copy().read_text() == "00000"
        await press(pilot, "Y")
        await until(pilot, lambda: "llava-1.5\tDONE" in places.last_copy().read_text())
        assert app.clipboard == places.last_copy().read_text()
        await press(pilot, "3", "y")
        await until(pilot, lambda: places.last_copy().read_text().startswith("Two people"))


@pytest.mark.parametrize("size", [SIZE, (80, 24)], ids=["120x36", "80x24"])
@pytest.mark.parametrize("key", "12345")
async def test_zoom(tmp_path: Path, key: str, size: tuple[int, int]) -> None:
    """Every pane of every screen has all the room but the first and the last line."""
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


async def test_readonly(tmp_path: Path, asked: Asked) -> None:
    folder = canned.copied(tmp_path / "p", "busy").folder
    app = MllmaugApp(folder, readonly=True)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "p", "2", "r", "R", "x", "plus", "P", "4", "r", "x")
        assert asked.calls == []
        assert not isinstance(app.screen, Confirm)
        await press(pilot, "2", "question_mark")
        assert "Retry: opened with --readonly" in said(app, "#keys")
        await press(pilot, "escape", "q", "s", "K")
        assert asked.calls == []


# The wizard


async def fill(pilot, app: MllmaugApp, captions: Path, folder: Path) -> Wizard:
    await press(pilot, "n")
    wizard = app.screen
    assert isinstance(wizard, Wizard)
    wizard.query_one("#captions", Input).value = str(captions)
    wizard.query_one("#folder", Input).value = str(folder)
    await until(pilot, lambda: wizard.step.why_not() is None)
    return wizard


async def test_wizard_makes_a_project(tmp_path: Path) -> None:
    captions = make_captions(tmp_path / "data", 5)
    app = MllmaugApp(None)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        wizard = await fill(pilot, app, captions, tmp_path / "run")
        assert "5 records; 5 of the first 5 images found" in said(app, "#source-seen")
        await press(pilot, "ctrl+n", "ctrl+n")
        assert "choose a model" in said(app, "#why-not")
        for tick in wizard.query(Tick):
            tick.value = "dry-run" in str(tick.label)
        await until(pilot, lambda: wizard.step.why_not() is None)
        await press(pilot, "ctrl+n")
        wizard.query_one("#spec", Input).value = "cpu"
        await until(pilot, lambda: wizard.step.why_not() is None and wizard.draft.found)
        await press(pilot, "ctrl+n", "ctrl+n", "escape", "ctrl+n")
        assert "5 of" in said(app, "#summary")
        assert "--model dry-run" in said(app, "#command")
        wizard.query_one("#shard-size", Input).value = "2"
        wizard.query_one("#create", Button).press()
        await until(pilot, lambda: app._exit)
    assert app.return_value == tmp_path / "run"
    assert len(list(Project.open(tmp_path / "run").shards.iterdir())) == 3


async def test_wizard_says_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text('[{"caption": "[/x]"}]')
    app = MllmaugApp(None)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await press(pilot, "n")
        wizard = app.screen
        assert isinstance(wizard, Wizard)
        wizard.query_one("#captions", Input).value = str(tmp_path / "bad.json")
        await until(pilot, lambda: "no 'image'" in said(app, "#why-not"))
        captions = make_captions(tmp_path / "data", 2)
        wizard.query_one("#captions", Input).value = str(captions)
        wizard.query_one("#folder", Input).value = str(
            canned.copied(tmp_path / "p", "create").folder
        )
        await until(pilot, lambda: "already holds a project" in said(app, "#why-not"))
        await press(pilot, "escape", "escape")  # the first may close a completion
        assert not isinstance(app.screen, Wizard)


@pytest.mark.parametrize("more", ["", "x"])
async def test_wizard_goes_on_once_it_has_looked(tmp_path: Path, monkeypatch, more: str) -> None:
    """Not where something else was entered meanwhile."""
    looks = Event()
    monkeypatch.setattr(source, "peek", lambda *a, **k: looks.wait(30) and peek(*a, **k))
    captions = make_captions(tmp_path / "data", 5)
    app = MllmaugApp(None)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, Wizard) and app.screen.filled)
        wizard = app.screen
        assert isinstance(wizard, Wizard)
        wizard.query_one("#captions", Input).value = str(captions)
        await pilot.pause(0.1)
        await pilot.press("ctrl+n")
        assert "looking" in said(app, "#why-not")
        wizard.query_one("#folder", Input).value += more
        await pilot.pause(0.1)
        looks.set()
        await until(pilot, lambda: not wizard.steps[0].looking)
        await settle(pilot)
        assert isinstance(wizard.step, Models) != bool(more)


async def review(pilot, wizard: Wizard) -> None:
    """From the first step to the last, with `dry-run` on a CPU."""
    await press(pilot, "ctrl+n")
    wizard.query_one(Models).query(Tick).last().value = True
    await until(pilot, lambda: wizard.step.why_not() is None)
    await press(pilot, "ctrl+n")
    wizard.query_one("#spec", Input).value = "cpu"
    await until(pilot, lambda: wizard.step.why_not() is None and wizard.draft.found)
    await press(pilot, "ctrl+n", "ctrl+n")


async def test_wizard_leaves_out_what_is_bad_and_looks_at_every_image(tmp_path: Path) -> None:
    captions = make_captions(tmp_path / "data", 150)
    records = json.loads(captions.read_text())
    captions.write_text(json.dumps([*records[:2], {"caption": "[/x]"}, *records[2:]]))
    for number in (140, 149):  # behind what a look at the first records sees
        (tmp_path / "data" / f"images/{number:06}.png").write_text("no image [/x]")
    app = MllmaugApp(None)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await press(pilot, "n")
        wizard = app.screen
        assert isinstance(wizard, Wizard)
        wizard.query_one("#captions", Input).value = str(captions)
        wizard.query_one("#folder", Input).value = str(tmp_path / "run")
        await until(pilot, lambda: "tick 'leave out'" in said(app, "#source-seen"))
        wizard.query_one("#folder", Input).focus()
        await press(pilot, "tab", "space", "tab", "space")
        await until(pilot, lambda: wizard.step.why_not() is None)
        assert "1 record so far cannot be read: left out" in said(app, "#source-seen")
        await review(pilot, wizard)
        assert "those that cannot be read are left out" in said(app, "#summary")
        assert "every one is opened and decoded first" in said(app, "#summary")
        assert "--check-images --skip-bad\nthen: " in said(app, "#command")
        wizard.query_one("#create", Button).press()
        await until(pilot, lambda: isinstance(app.screen, Report))
        await until(pilot, lambda: "left out as unreadable: 1 record" in said(app, "#lines"))
        assert "of 150 images opened, 2 cannot be captioned (2 corrupt)" in said(app, "#lines")
        await press(pilot, "escape")
        await until(pilot, lambda: app._exit)
    assert app.return_value == tmp_path / "run"


async def test_looking_at_every_image_can_be_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def slow(path: str) -> None:
        opened.append(path)
        time.sleep(0.05)
        raise ImageProblem("corrupt", "slow")

    monkeypatch.setattr("engine.datasets.checks.open_image", slow)
    captions = make_captions(tmp_path / "data", 1)
    captions.write_text(json.dumps(json.loads(captions.read_text()) * 2000))
    app = MllmaugApp(None)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        wizard = await fill(pilot, app, captions, tmp_path / "run")
        wizard.query_one("#check-images", Tick).value = True
        await review(pilot, wizard)
        wizard.query_one("#create", Button).press()
        await until(pilot, lambda: "of 2,000 (esc cancels)" in said(app, "#why-not"))
        assert str(wizard.query_one("#back", Button).label) == "Cancel"
        await press(pilot, "escape")
        await until(pilot, lambda: "cancelled; nothing was made" in said(app, "#why-not"))
        assert app.screen is wizard
        assert not wizard.query_one("#create").disabled
    assert len(opened) < 1000
    assert not (tmp_path / "run").exists()


async def test_a_try_and_a_pilot(tmp_path: Path) -> None:
    captions = make_captions(tmp_path / "data", 3)
    app = MllmaugApp(None)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        wizard = await fill(pilot, app, captions, tmp_path / "run")
        await press(pilot, "ctrl+n")
        for tick in wizard.query(Tick):
            tick.value = "dry-run" in str(tick.label)
        await until(pilot, lambda: wizard.step.why_not() is None)
        await press(pilot, "ctrl+n")
        wizard.query_one("#spec", Input).value = "cpu"
        await until(pilot, lambda: wizard.draft.found)
        await press(pilot, "ctrl+n")
        wizard.query_one("#try", Button).press()
        await until(pilot, lambda: "sheared: 24x16 RGB image" in said(app, "#tried"), 60)
        await press(pilot, "ctrl+n")
        wizard.query_one("#pilot", Button).press()
        await until(pilot, lambda: isinstance(app.screen, Pilot))
        await until(pilot, lambda: "DONE" in said(app, "#models"), 60)
        assert "3 records on 1 device: about 0s in all" in said(app, "#models")
        assert "image 1 of 3" in said(app, "#captions")
        assert "//. This second sentence is here to be sheared.//" in said(app, "#captions")
        await press(pilot, "n", "d", "j", "k", "N")
        await press(pilot, "escape")
        assert app.screen is wizard
        assert "about 0s" in said(app, "#summary")


async def test_a_pilot_of_a_project(tmp_path: Path, asked: Asked) -> None:
    from tests.support import cli_ok

    captions = make_captions(tmp_path / "data", 3)
    cli_ok("new", tmp_path / "run", captions, "--model", "dry-run")
    app = MllmaugApp(tmp_path / "run")
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "T")
        await until(
            pilot, lambda: "3 of 3" in said(app, "#models") or "DONE" in said(app, "#models"), 60
        )
        await press(pilot, "G")
        await until(pilot, lambda: asked.calls == [("start", {})])


# Welcome


async def test_recent_projects(tmp_path: Path) -> None:
    folder = canned.copied(tmp_path / "[x] p", "create").folder
    places.remember(folder)
    places.remember(tmp_path / "gone")
    app = MllmaugApp(None)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        choices = app.screen.query_one(OptionList)
        assert choices.option_count == 4
        await press(pilot, "j", "j", "k", "j", "j", "enter")
    assert app.return_value == folder


async def test_open_by_name(tmp_path: Path) -> None:
    folder = canned.copied(tmp_path / "p", "create").folder
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


async def test_impatient_keys(tmp_path: Path) -> None:
    """A dialog whose parts come in a later turn takes keys at once."""
    app = make(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        for key in ("e", "n"):
            for _ in range(5):
                app.simulate_key(key)
                app.simulate_key("ctrl+n")
                app.simulate_key("escape")
            await settle(pilot)
            while len(app.screen_stack) > 1:
                await press(pilot, "escape")
        await press(pilot, "e")
        assert app.focused is not None
        assert app.focused.id == "path"


@pytest.mark.parametrize("seed", range(2))
async def test_mashed_keys(tmp_path: Path, asked: Asked, seed: int) -> None:
    """Dialogs come, go and lie over each other faster than they are put up."""
    app, random = make(tmp_path), Random(seed)
    keys = [*"enTchMuDH?:12345/zjkdsafl", "tab", "enter", "ctrl+n", *["escape"] * 8]
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        for key in random.choices(keys, k=150):
            app.post_message(Key(key, key if len(key) == 1 else None))
            await asyncio.sleep(random.choice((0, 0, 0.01, 0.05)))
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


async def test_what_is_typed_before_a_field_is_there_goes_to_it(tmp_path: Path) -> None:
    app = make(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        for key, field in (("n", "#captions"), ("e", "#path")):
            for typed in (key, *"data"):
                app.post_message(Key(typed, typed))
            await until(pilot, lambda field=field: app.screen.query(field))
            path = app.screen.query_one(field, Input)
            await until(pilot, lambda path=path: path.value == "data")
            while len(app.screen_stack) > 1:
                await press(pilot, "escape")


async def test_a_key_that_cannot_work_says_why(tmp_path: Path) -> None:
    app = MllmaugApp(canned.copied(tmp_path / "p", "busy").folder, readonly=True)
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
        await pilot.pause()
        await press(pilot, "n")
        wizard = app.screen
        assert isinstance(wizard, Wizard)
        captions = wizard.query_one("#captions", Input)
        captions.value = f"{tmp_path}/[x] data/cap"
        captions.cursor_position = len(captions.value)
        await press(pilot, "tab")
        assert captions.value == f"{tmp_path}/[x] data/captions.json"
        await until(pilot, lambda: "2 of the first 2 images" in said(app, "#source-seen"))
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

    def endless(progress: Progress) -> list[str]:
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
        await until(pilot, lambda: "step" in steps and "of 1,000 shards" in said(app, "#lines"))
        await press(pilot, "escape")
        await until(pilot, lambda: steps[-1] == "end")
