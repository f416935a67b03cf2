"""The wizard and the pilot, driven by keys."""

from __future__ import annotations

import json
import time
import zlib
from functools import partial
from pathlib import Path
from threading import Event

import pytest
from textual.pilot import Pilot
from textual.widgets import Button, Input, Static

from db import projects, ratings
from db.connection import reading
from db.rows import Rating
from engine.images.image import ImageProblem
from engine.operations.input_preview import preview_input
from engine.operations.tryout import TryoutEvent
from engine.project.opening import open_project
from engine.quality.alarms import HealthRecord
from tests.support import canned_projects
from tests.support.pictures import make_captions
from tests.tui.conftest import FakeRunControl, label_text, open_wizard, press, ready, settle, until
from tui.app import MllmaugApp
from tui.dialogs.confirm import Confirm
from tui.dialogs.help import Help
from tui.dialogs.pilot import Pilot as PilotScreen
from tui.dialogs.report import Report
from tui.dialogs.wizard import source
from tui.dialogs.wizard.devices import DevicesStep
from tui.dialogs.wizard.models import ModelsStep
from tui.dialogs.wizard.prompts import PromptsStep
from tui.dialogs.wizard.source import SourceStep
from tui.dialogs.wizard.wizard import Wizard
from tui.widgets.checkbox import BracketCheckbox
from tui.widgets.preview import Preview

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


def is_said(app: MllmaugApp, text: str) -> bool:
    return text in label_text(app, "#why-not")


async def test_wizard_brings_captions_that_exist(tmp_path: Path) -> None:
    captions = make_captions(tmp_path / "data", 5)
    blip = tmp_path / "data" / "of blip.json"
    theirs = captions.read_text().replace('"image": "', '"image": "/theirs/')
    blip.write_text(theirs.replace("[{", '[{"image": "[/x]", "caption": "no"}, {', 1))
    app = MllmaugApp(None)
    async with app.run_test(size=(80, 24)) as pilot:
        wizard = await fill_source(pilot, captions, tmp_path / "run")
        await press(pilot, "ctrl+n")
        for tick in wizard.query(BracketCheckbox):
            tick.value = "dry-run" in str(tick.label)
        await until(pilot, lambda: wizard.step.why_not() is None)
        await press(pilot, "ctrl+n")
        wizard.query_one("#spec", Input).value = "cpu"
        await until(pilot, lambda: wizard.step.why_not() is None and wizard.draft.detected_devices)
        await press(pilot, "ctrl+n", "ctrl+n")
        field = wizard.query_one("#imports", Input)
        for wrong, said in (
            ("blip", "write NAME=FILE"),
            ("blip=[/x].json", "blip: there is no file [/x].json"),
            (f"../x={captions}", "cannot name a model"),
            ("blip='", "a quotation mark is not closed"),
        ):
            field.value = wrong
            await until(pilot, partial(is_said, app, said))
            assert wizard.query_one("#create").disabled
        field.value = f"blip='{blip}'"
        await until(pilot, lambda: not wizard.query_one("#create").disabled)
        assert "Imports   blip from of blip.json" in label_text(app, "#summary")
        assert f"--import 'blip={blip}'" in label_text(app, "#command")
        wizard.query_one("#create", Button).press()
        await until(pilot, lambda: is_said(app, "nothing to import in"))
        field = wizard.query_one("#path-map", Input)
        field.value = "/theirs/"
        await until(pilot, lambda: is_said(app, "/theirs/: write OLD=NEW"))
        field.value = "/theirs/="
        await until(pilot, lambda: not wizard.query_one("#create").disabled)
        assert "--path-map /theirs/=" in label_text(app, "#command")
        wizard.query_one("#create", Button).press()
        await until(pilot, lambda: isinstance(app.screen, Report))
        assert "blip: 5 captions imported of 6 in 1 file" in label_text(app, "#lines")
        await press(pilot, "escape")
        await until(pilot, lambda: app._exit)
    assert sorted(path.name for path in open_project(tmp_path / "run").captions.iterdir()) == [
        "blip-imported"
    ]


async def test_wizard_asks_before_it_goes_on_without_captions(tmp_path: Path) -> None:
    captions = make_captions(tmp_path / "data", 3)
    records = [{"image": record["image"], "id": 7} for record in json.loads(captions.read_text())]
    captions.write_text(json.dumps(records))
    app = MllmaugApp(None)
    async with app.run_test(size=(80, 24)) as pilot:
        wizard = await fill_source(pilot, captions, tmp_path / "run")
        assert "original captions: 0 of 3 records" in label_text(app, "#source-seen")
        for answer, step in (("n", SourceStep), ("y", ModelsStep)):
            await press(pilot, "ctrl+n")
            await until(pilot, lambda: isinstance(app.screen, Confirm))
            assert "No record has an original caption: keys are image, id" in str(
                app.screen.query(Static).first().content
            )
            await press(pilot, answer)
            await until(pilot, lambda: app.screen is wizard)
            assert isinstance(wizard.step, step)
        await press(pilot, "escape", "ctrl+n")
        assert isinstance(wizard.step, ModelsStep), "yes was said of these captions"


async def test_wizard_says_what_it_passes_over(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    make_captions(folder, 2)
    (folder / ".hidden.png").touch()
    app = MllmaugApp(None)
    async with app.run_test(size=SIZE) as pilot:
        await fill_source(pilot, folder, tmp_path / "run")
        seen = label_text(app, "#source-seen")
    assert "2 records; 2 of the first 2 images found" in seen
    assert "passed over: hidden files and folders (1, such as " in seen
    assert "passed over: captions without an image of the same name (1, such as " in seen


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
        await pilot.press("ctrl+n")
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


async def test_an_answer_about_other_devices_that_comes_late_is_dropped(tmp_path: Path) -> None:
    captions = make_captions(tmp_path / "data", 3)
    app = MllmaugApp(None)
    async with app.run_test(size=SIZE) as pilot:
        wizard = await fill_source(pilot, captions, tmp_path / "run")
        await go_to_prompts(pilot, wizard)
        await press(pilot, "escape")
        late = DevicesStep.DevicesChecked("auto", (), "no GPU")
        wizard.query_one(DevicesStep).post_message(late)
        await settle(pilot)
        assert wizard.step.why_not() is None
        assert wizard.draft.devices == "cpu"


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
        await until(pilot, lambda: "tick 'Skip invalid records'" in label_text(app, "#source-seen"))
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
        preview = app.screen.query_one(Preview)
        assert preview.image == "images/000000.png"
        for key in ("question_mark", "f1"):
            await press(pilot, key)
            assert isinstance(app.screen, Help)
            assert "Start the whole run" in label_text(app, "#keys")
            assert "figures" in label_text(app, "#about")
            assert "Dashboard" not in label_text(app, "#keys"), "it is behind the dialog"
            await press(pilot, "escape")
        await press(pilot, "n", "d", "j", "k")
        await until(pilot, lambda: preview.border_subtitle == "24x16 RGB")
        assert preview.image == "images/000001.png"
        await press(pilot, "Z", "right")
        assert app.screen.maximized is preview
        assert preview.region.size == SIZE
        assert preview.image == "images/000002.png"
        await press(pilot, "escape", "N", "N")
        assert app.screen.maximized is None
        assert preview.image == "images/000000.png"
        await press(pilot, "n", "minus", *"no [dog]", "enter")
        assert "bad: no [dog]" in label_text(app, "#captions")
        await press(pilot, "escape")
        assert app.screen is wizard
        assert "about 0s" in label_text(app, "#summary")
        wizard.query_one("#create", Button).press()
        await until(pilot, lambda: app._exit)
    with reading(tmp_path / "run" / "project.db") as connection:
        (model,) = projects.models(connection)
        assert ratings.current(connection) == {(0, 1, model.id): Rating(False, "no [dog]")}
    assert HealthRecord.of(model.health).pilot.captions == 3, "the new project keeps the pilot"


async def test_help_in_the_wizard(tmp_path: Path) -> None:
    app = MllmaugApp(None)
    async with app.run_test(size=SIZE) as pilot:
        wizard = await open_wizard(pilot)
        field = wizard.query_one("#captions", Input)
        await until(pilot, lambda: wizard.focused is field)
        await press(pilot, "f1")
        assert isinstance(app.screen, Help)
        assert "Next" in label_text(app, "#keys")
        assert "nothing is written" in label_text(app, "#about")
        await press(pilot, "escape", "question_mark")
        assert field.value == "?", "a field takes it as a character"
        wizard.query_one("#back").focus()
        await press(pilot, "question_mark")
        assert isinstance(app.screen, Help)


async def test_the_image_that_is_tried(tmp_path: Path) -> None:
    captions = make_captions(tmp_path / "data", 3)
    (tmp_path / "data" / "images" / "000001.png").write_bytes(b"no image")
    app = MllmaugApp(None)
    async with app.run_test(size=SIZE) as pilot:
        wizard = await fill_source(pilot, captions, tmp_path / "run")
        await go_to_prompts(pilot, wizard)
        preview = wizard.query_one(Preview)
        await until(pilot, lambda: preview.border_subtitle == "24x16 RGB")
        wizard.query_one("#next-image", Button).press()
        await until(pilot, lambda: "corrupt: not an image" in label_text(app, "#why"))
        preview.focus()
        await press(pilot, "right")
        assert preview.image == "images/000002.png"
        await press(pilot, "enter")
        assert wizard.maximized is preview
        await press(pilot, "right", "left", "Z")
        assert wizard.maximized is None
        assert preview.image == "images/000002.png"
        wizard.query_one("#try", Button).press()
        crc = f"{zlib.crc32((tmp_path / 'data/images/000002.png').read_bytes()):08x}"
        await until(pilot, lambda: crc in label_text(app, "#tried"))
        previous = wizard.query_one("#previous-image", Button)
        await until(pilot, lambda: not previous.disabled)
        previous.press()
        await until(pilot, lambda: preview.image == "images/000001.png")
        assert not label_text(app, "#tried"), "the result was of another image"


async def test_what_a_model_is_really_asked_is_shown(tmp_path: Path) -> None:
    captions = make_captions(tmp_path / "data", 3)
    app = MllmaugApp(None)
    async with app.run_test(size=SIZE) as pilot:
        wizard = await fill_source(pilot, captions, tmp_path / "run")
        await go_to_prompts(pilot, wizard)
        asked = TryoutEvent(asked="asked with 9 tokens: <s> [INST] (3 more) [/INST]")
        step = wizard.query_one(PromptsStep)
        step.post_message(PromptsStep.TrialEventReceived("hf", asked))
        await until(
            pilot, lambda: "hf: asked with 9 tokens: <s> [INST]" in label_text(app, "#tried")
        )


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
            lambda: "DONE" in label_text(app, "#models"),
        )
        await until(pilot, lambda: run_control.calls)
        await press(pilot, "n", "m", "minus", *"no [dog]", "enter")
        await until(pilot, lambda: "bad: no [dog]" in label_text(app, "#captions"))
        assert " 0/1 DONE" in label_text(app, "#models")
        await press(pilot, "w")
        assert isinstance(app.screen, PilotScreen), "dry-run is asked with no prompt"
        await press(pilot, "G")
        await until(pilot, lambda: run_control.calls[-1:] == [("start", {})])
        (kind, kept), (_, rated) = run_control.calls[:-1]
        assert (kind, kept["captions"], kept["counts"]) == ("pilot_figures", 3, {})
        assert (rated["model"], rated["good"], rated["reason"]) == ("dry-run", False, "no [dog]")
        assert rated["records"] == [(0, 1)]
