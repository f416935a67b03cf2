"""The wizard and the pilot, driven by keys."""

from __future__ import annotations

import json
import time
from pathlib import Path
from threading import Event

import pytest
from textual.pilot import Pilot
from textual.widgets import Button, Input

from engine.images.image import ImageProblem
from engine.operations.input_preview import preview_input
from engine.project.opening import open_project
from tests.support import canned_projects
from tests.support.pictures import make_captions
from tests.tui.conftest import FakeRunControl, label_text, open_wizard, press, ready, settle, until
from tui.app import MllmaugApp
from tui.dialogs.pilot import Pilot as PilotScreen
from tui.dialogs.report import Report
from tui.dialogs.wizard import source
from tui.dialogs.wizard.models import ModelsStep
from tui.dialogs.wizard.wizard import Wizard
from tui.widgets.checkbox import BracketCheckbox

pytestmark = pytest.mark.asyncio
SIZE = (120, 36)


async def fill_source(pilot: Pilot[Path], captions: Path, folder: Path) -> Wizard:
    wizard = await open_wizard(pilot)
    wizard.query_one("#captions", Input).value = str(captions)
    wizard.query_one("#folder", Input).value = str(folder)
    await until(pilot, lambda: wizard.step.why_not() is None)
    return wizard


async def test_wizard_makes_a_project(tmp_path: Path) -> None:
    captions = make_captions(tmp_path / "data", 5)
    app = MllmaugApp(None)
    async with app.run_test(size=(80, 24)) as pilot:
        wizard = await fill_source(pilot, captions, tmp_path / "run")
        assert "5 records; 5 of the first 5 images found" in label_text(app, "#source-seen")
        await press(pilot, "ctrl+n", "ctrl+n")
        assert "choose a model" in label_text(app, "#why-not")
        for tick in wizard.query(BracketCheckbox):
            tick.value = "dry-run" in str(tick.label)
        await until(pilot, lambda: wizard.step.why_not() is None)
        await press(pilot, "ctrl+n")
        wizard.query_one("#spec", Input).value = "cpu"
        await until(pilot, lambda: wizard.step.why_not() is None and wizard.draft.detected_devices)
        await press(pilot, "ctrl+n", "ctrl+n", "escape", "ctrl+n")
        assert "5 of" in label_text(app, "#summary")
        assert "--model dry-run" in label_text(app, "#command")
        wizard.query_one("#shard-size", Input).value = "2"
        wizard.query_one("#create", Button).press()
        await until(pilot, lambda: app._exit)
    assert app.return_value == tmp_path / "run"
    assert len(list(open_project(tmp_path / "run").shards.iterdir())) == 3


async def test_wizard_says_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text('[{"caption": "[/x]"}]')
    app = MllmaugApp(None)
    async with app.run_test(size=(80, 24)) as pilot:
        wizard = await open_wizard(pilot)
        wizard.query_one("#captions", Input).value = str(tmp_path / "bad.json")
        await until(pilot, lambda: "no 'image'" in label_text(app, "#why-not"))
        captions = make_captions(tmp_path / "data", 2)
        wizard.query_one("#captions", Input).value = str(captions)
        wizard.query_one("#folder", Input).value = str(
            canned_projects.copy_canned_project(tmp_path / "p", "create").folder
        )
        await until(pilot, lambda: "already holds a project" in label_text(app, "#why-not"))
        await press(pilot, "escape", "escape")  # the first may close a completion
        assert not isinstance(app.screen, Wizard)


@pytest.mark.parametrize("more", ["", "x"])
async def test_wizard_goes_on_once_it_has_looked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: str
) -> None:
    """It does not go on if something else was entered meanwhile (`more`)."""
    may_preview = Event()
    monkeypatch.setattr(
        source, "preview_input", lambda *a, **k: may_preview.wait(30) and preview_input(*a, **k)
    )
    captions = make_captions(tmp_path / "data", 5)
    app = MllmaugApp(None)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, Wizard) and app.screen.is_filled)
        wizard = app.screen
        assert isinstance(wizard, Wizard)
        wizard.query_one("#captions", Input).value = str(captions)
        await pilot.pause(0.1)
        await pilot.press("ctrl+n")
        assert "looking" in label_text(app, "#why-not")
        wizard.query_one("#folder", Input).value += more
        await pilot.pause(0.1)
        may_preview.set()
        await until(pilot, lambda: not wizard.steps[0].checking)
        await settle(pilot)
        assert isinstance(wizard.step, ModelsStep) != bool(more)


async def go_to_prompts(pilot: Pilot[Path], wizard: Wizard) -> None:
    """Go from the first page to that of the prompts, with `dry-run` on a CPU."""
    await press(pilot, "ctrl+n")
    wizard.query_one(ModelsStep).query(BracketCheckbox).last().value = True
    await until(pilot, lambda: wizard.step.why_not() is None)
    await press(pilot, "ctrl+n")
    wizard.query_one("#spec", Input).value = "cpu"
    await until(pilot, lambda: wizard.step.why_not() is None and wizard.draft.detected_devices)
    await press(pilot, "ctrl+n")


async def test_wizard_leaves_out_what_is_bad_and_looks_at_every_image(tmp_path: Path) -> None:
    captions = make_captions(tmp_path / "data", 150)
    records = json.loads(captions.read_text())
    captions.write_text(json.dumps([*records[:2], {"caption": "[/x]"}, *records[2:]]))
    for number in (140, 149):  # behind what a look at the first records sees
        (tmp_path / "data" / f"images/{number:06}.png").write_text("no image [/x]")
    app = MllmaugApp(None)
    async with app.run_test(size=(80, 24)) as pilot:
        wizard = await open_wizard(pilot)
        wizard.query_one("#captions", Input).value = str(captions)
        wizard.query_one("#folder", Input).value = str(tmp_path / "run")
        await until(pilot, lambda: "tick 'leave out'" in label_text(app, "#source-seen"))
        wizard.query_one("#folder", Input).focus()
        await press(pilot, "tab", "space", "tab", "space")
        await until(pilot, lambda: wizard.step.why_not() is None)
        assert "1 record so far cannot be read: left out" in label_text(app, "#source-seen")
        await go_to_prompts(pilot, wizard)
        await press(pilot, "ctrl+n")
        assert "those that cannot be read are left out" in label_text(app, "#summary")
        assert "every one is opened and decoded first" in label_text(app, "#summary")
        assert "--check-images --skip-bad\nthen: " in label_text(app, "#command")
        wizard.query_one("#create", Button).press()
        await until(pilot, lambda: isinstance(app.screen, Report))
        await until(pilot, lambda: "left out as unreadable: 1 record" in label_text(app, "#lines"))
        assert "of 150 images opened, 2 cannot be captioned (2 corrupt)" in label_text(
            app, "#lines"
        )
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

    monkeypatch.setattr("engine.operations.input_checks.open_image", slow)
    captions = make_captions(tmp_path / "data", 1)
    captions.write_text(json.dumps(json.loads(captions.read_text()) * 2000))
    app = MllmaugApp(None)
    async with app.run_test(size=(80, 24)) as pilot:
        wizard = await fill_source(pilot, captions, tmp_path / "run")
        wizard.query_one("#check-images", BracketCheckbox).value = True
        await go_to_prompts(pilot, wizard)
        await press(pilot, "ctrl+n")
        wizard.query_one("#create", Button).press()
        await until(pilot, lambda: "of 2,000 (esc cancels)" in label_text(app, "#why-not"))
        assert str(wizard.query_one("#back", Button).label) == "Cancel"
        await press(pilot, "escape")
        await until(pilot, lambda: "cancelled; nothing was made" in label_text(app, "#why-not"))
        assert app.screen is wizard
        assert not wizard.query_one("#create").disabled
    assert len(opened) < 1000
    assert not (tmp_path / "run").exists()


async def test_a_try_and_a_pilot(tmp_path: Path) -> None:
    captions = make_captions(tmp_path / "data", 3)
    app = MllmaugApp(None)
    async with app.run_test(size=SIZE) as pilot:
        wizard = await fill_source(pilot, captions, tmp_path / "run")
        await go_to_prompts(pilot, wizard)
        wizard.query_one("#try", Button).press()
        await until(pilot, lambda: "sheared: 24x16 RGB image" in label_text(app, "#tried"))
        await press(pilot, "ctrl+n")
        wizard.query_one("#pilot", Button).press()
        await until(pilot, lambda: isinstance(app.screen, PilotScreen))
        await until(pilot, lambda: "DONE" in label_text(app, "#models"))
        assert "3 records on 1 device: about 0s in all" in label_text(app, "#models")
        assert "image 1 of 3" in label_text(app, "#captions")
        assert "//. This second sentence is here to be sheared.//" in label_text(app, "#captions")
        await press(pilot, "n", "d", "j", "k", "N")
        await press(pilot, "escape")
        assert app.screen is wizard
        assert "about 0s" in label_text(app, "#summary")


async def test_a_pilot_of_a_project(tmp_path: Path, run_control: FakeRunControl) -> None:
    from tests.support.cli import cli_ok

    captions = make_captions(tmp_path / "data", 3)
    cli_ok("new", tmp_path / "run", captions, "--model", "dry-run")
    app = MllmaugApp(tmp_path / "run")
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "T")
        await until(
            pilot,
            lambda: "3 of 3" in label_text(app, "#models") or "DONE" in label_text(app, "#models"),
        )
        await press(pilot, "G")
        await until(pilot, lambda: run_control.calls == [("start", {})])
