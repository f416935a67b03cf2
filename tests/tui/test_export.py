"""The Export dialog; the command that it shows writes the same files."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Select

from engine.datasets.exports.formats import FORMATS
from tests.support import canned_projects, canned_rows
from tests.support.cli import cli_ok
from tests.support.pictures import make_captions
from tests.tui.conftest import label_text, press, ready, run_shell_command, settle, until
from tui.app import MllmaugApp
from tui.dialogs.export import Export
from tui.session.feedback import notify
from tui.widgets.checkbox import BracketCheckbox
from tui.widgets.export_form import COLUMNS

pytestmark = pytest.mark.asyncio
SIZE = (80, 24)


@pytest.fixture(scope="module")
def captioned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a captioned project with a blank in its name and one image missing."""
    folder = tmp_path_factory.mktemp("export")
    data = make_captions(folder / "data", 12)
    (folder / "data" / "images" / "000003.png").unlink()
    cli_ok("new", folder / "my run", data, "--model", "dry-run", "--shard-size", 4)
    cli_ok("run", folder / "my run", "--devices", "cpu")
    cli_ok("flag", folder / "my run", "1:2")
    return folder / "my run"


async def choose_format(pilot: Pilot[Path], format: str) -> None:
    """Open the dialog and choose a format."""
    await ready(pilot)
    await press(pilot, "e")
    assert isinstance(pilot.app.screen, Export)
    pilot.app.screen.query_one("#format", Select).value = format
    await settle(pilot)


def tick_everything(screen: Export) -> None:
    """Tick and fill in everything that the format takes."""
    ticks = ("original", "finished", "provenance", "flagged", "unreadable", *COLUMNS)
    for name in ticks:
        checkbox = screen.query_one(f"#{name}", BracketCheckbox)
        checkbox.value = not checkbox.disabled
    images = screen.query_one("#images", Select)
    if not images.disabled:
        images.value = FORMATS[screen.form.format.name].image_modes[-1]
    text = screen.query_one("#text", Select)
    if not text.disabled:
        text.value = "random"
    if not screen.query_one("#encode").disabled and images.value not in ("none", "link"):
        screen.query_one("#encode", Input).value = "webp:80"
        screen.query_one("#side", Input).value = "16"
    if not screen.query_one("#tar-size").disabled:
        screen.query_one("#tar-size", Input).value = "10k"
    screen.query_one("#words", Input).value = "2"
    screen.query_one("#without", Input).value = "loops, near_duplicates"
    screen.query_one("#language", Select).value = "de"
    screen.query_one("#share", Input).value = "0.8"
    screen.query_one("#share-seed", Input).value = "7"
    screen.query_one("#root", Input).value = "/data of mine"
    screen.query_one("#map", Input).value = "'images/00000=other path/' none=nothing"


def contents(path: Path) -> dict[str, bytes]:
    if path.is_file():
        return {"": path.read_bytes()}
    return {
        str(file.relative_to(path)): str(file.readlink()).encode()
        if file.is_symlink()
        else file.read_bytes()
        for file in sorted(path.rglob("*"))
        if not file.is_dir()
    }


@pytest.mark.parametrize("format", FORMATS)
async def test_the_command_writes_what_the_dialog_wrote(
    captioned: Path, tmp_path: Path, format: str
) -> None:
    """With everything ticked that the format takes, and for two formats as it opens, too."""
    app = MllmaugApp(captioned)
    async with app.run_test(size=SIZE) as pilot:
        for full in (False, True) if format in ("json", "wds") else (True,):
            await choose_format(pilot, format)
            screen = app.screen
            assert isinstance(screen, Export)
            if full:
                tick_everything(screen)
            out = tmp_path / f"it's out {full}{FORMATS[format].suffix}"
            screen.query_one("#path", Input).value = str(out)
            await settle(pilot)
            await screen.query_one("#path", Input).action_submit()
            await until(pilot, lambda: "captions of 12 records" in label_text(app, "#said"))
            by_dialog = tmp_path / f"by the dialog {full}"
            shutil.move(out, by_dialog)
            run_shell_command(screen.command)
            assert contents(out) == contents(by_dialog)
            assert contents(out), "something was written"
            await press(pilot, "escape")


async def test_the_dialog_says_what_stays(captioned: Path) -> None:
    app = MllmaugApp(captioned)
    async with app.run_test(size=SIZE) as pilot:
        await choose_format(pilot, "json")
        screen = app.screen
        assert isinstance(screen, Export)
        assert not screen.query_one("#stays").display
        share = screen.query_one("#share", Input)
        share.value = "0.5"
        await until(
            pilot, lambda: "6 of 11 captions stay, of 6 images" in label_text(app, "#stays")
        )
        assert "left out: 5 not in the share of 0.5" in label_text(app, "#stays")
        screen.query_one("#only-flagged", BracketCheckbox).value = True
        await until(pilot, lambda: "1 of 1 caption stay, of 1 image" in label_text(app, "#stays"))
        share.value = "5"
        await settle(pilot)
        assert not screen.query_one("#stays").display
        assert screen.query_one("#export").disabled
        assert "--keep-share must be a share above 0" in label_text(app, "#command")
        share.value = "x"
        await settle(pilot)
        said = "share that stays: a number above 0 and up to 1, or nothing"
        assert said in label_text(app, "#command")
        share.value = ""
        screen.query_one("#original", BracketCheckbox).value = True
        screen.query_one("#flagged", BracketCheckbox).value = True
        await settle(pilot)
        assert "not both" in label_text(app, "#command")


async def test_fields_for_which_there_is_nothing_are_not_there(
    captioned: Path, tmp_path: Path
) -> None:
    app = MllmaugApp(captioned)
    async with app.run_test(size=SIZE) as pilot:
        await choose_format(pilot, "json")
        assert {field.id for field in app.screen.query("FilterFields Input")} == {
            "without",
            "share",
            "share-seed",
        }
    app = MllmaugApp(canned_projects.copy_canned_project(tmp_path / "p", "busy").folder)
    async with app.run_test(size=SIZE) as pilot:
        await choose_format(pilot, "json")
        screen = app.screen
        assert isinstance(screen, Export)
        fields = {field.id for field in screen.query("FilterFields Input")}
        assert fields == {"without", "min-agree", "drop-original", "share", "share-seed"}
        screen.query_one("#drop-original", Input).value = "contradicted"
        await until(pilot, lambda: "needs the originals" in label_text(app, "#stays"))


async def test_what_a_format_has_no_place_for_is_off(captioned: Path) -> None:
    app = MllmaugApp(captioned)
    async with app.run_test(size=SIZE) as pilot:
        await choose_format(pilot, "json")
        screen = app.screen
        assert label_text(app, "#meaning") == FORMATS["json"].summary
        assert screen.query_one("#images").disabled
        assert not screen.query_one("#provenance").disabled
        screen.query_one("#provenance", BracketCheckbox).value = True
        screen.query_one("#format", Select).value = "laclip"
        await settle(pilot)
        assert screen.query_one("#provenance").disabled
        assert screen.query_one("#original").disabled
        assert "--provenance" not in screen.command  # type: ignore[attr-defined]
        assert screen.query_one("#path", Input).value.endswith("my run-laclip")
        screen.query_one("#path", Input).value = "/elsewhere/mine"
        screen.query_one("#format", Select).value = "wds"
        await settle(pilot)
        assert screen.query_one("#path", Input).value == "/elsewhere/mine"
        assert not screen.query_one("#images").disabled
        assert "--images" not in screen.command  # type: ignore[attr-defined]
        tar_size = screen.query_one("#tar-size", Input)
        for typed, shown in (("2 GB", "--tar-size 2000000000"), ("much", "'much' is no size")):
            tar_size.value = typed
            await settle(pilot)
            assert shown in label_text(app, "#command")
        screen.query_one("#format", Select).value = "json"
        await settle(pilot)
        assert tar_size.disabled
        assert "--tar-size" not in screen.command  # type: ignore[attr-defined]


async def test_bad_fields_are_said_and_nothing_is_written(captioned: Path) -> None:
    app = MllmaugApp(captioned)
    async with app.run_test(size=SIZE) as pilot:
        await choose_format(pilot, "json")
        for field, value, trouble in (
            ("#map", "old", "write OLD=NEW"),
            ("#map", "'old=new", "cannot be read"),
            ("#path", "", "the path is empty"),
        ):
            old_value = app.screen.query_one(field, Input).value
            app.screen.query_one(field, Input).value = value
            await settle(pilot)
            assert app.screen.query_one("#export").disabled
            await app.screen.query_one("#path", Input).action_submit()
            await settle(pilot)
            assert trouble in label_text(app, "#said")
            app.screen.query_one(field, Input).value = old_value
        app.screen.query_one("#model-0", BracketCheckbox).value = False
        await settle(pilot)
        assert "tick a model" in label_text(app, "#command")


async def test_what_only_some_formats_have_is_shown_with_them(captioned: Path) -> None:
    app = MllmaugApp(captioned)
    async with app.run_test(size=SIZE) as pilot:
        await choose_format(pilot, "json")
        screen = app.screen
        assert isinstance(screen, Export)
        rows = {name: screen.query_one(f"#{name}").parent for name in ("text", "images", "encode")}
        assert [bool(row and row.display) for row in rows.values()] == [False] * 3
        screen.query_one("#format", Select).value = "openclip"
        await settle(pilot)
        assert [bool(row and row.display) for row in rows.values()] == [True, False, False]
        screen.query_one("#text", Select).value = "dry-run"
        screen.query_one("#unreadable", BracketCheckbox).value = True
        await settle(pilot)
        assert screen.command.endswith("--format openclip --text dry-run --keep-unreadable")
        screen.query_one("#format", Select).value = "wds"
        await settle(pilot)
        assert all(row and row.display for row in rows.values())
        assert "--text" not in screen.command, "a choice is one of its format"
        screen.query_one("#encode", Input).value = "jpg:85"
        screen.query_one("#side", Input).value = "512"
        await settle(pilot)
        assert "--encode jpg:85 --max-side 512" in screen.command


async def test_how_images_are_encoded_is_checked(captioned: Path) -> None:
    app = MllmaugApp(captioned)
    async with app.run_test(size=SIZE) as pilot:
        await choose_format(pilot, "hub")
        for encode, side, trouble in (
            ("gif", "", "write jpg or webp"),
            ("jpg:101", "", "a quality of 1 to 100"),
            ("", "64", "--max-side needs --encode"),
        ):
            app.screen.query_one("#encode", Input).value = encode
            app.screen.query_one("#side", Input).value = side
            await settle(pilot)
            assert trouble in label_text(app, "#command")
            assert app.screen.query_one("#export").disabled


async def test_a_hostile_name(tmp_path: Path) -> None:
    """The names of folders and files stand in the dialog as they are."""
    folder = canned_projects.copy_canned_project(tmp_path / "[x] [bold]p", "create").folder
    out = tmp_path / "[@click=app.quit]here.json"
    out.touch()
    app = MllmaugApp(folder)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        assert app.session.project is not None
        assert app.session.snapshot is not None
        await app.push_screen(Export(app.session.project, app.session.snapshot))
        await until(pilot, lambda: "[x] [bold]p" in label_text(app, "#command"))
        app.screen.query_one("#path", Input).value = str(out)
        await settle(pilot)
        await app.screen.query_one("#path", Input).action_submit()
        await until(pilot, lambda: f"{out} exists" in label_text(app, "#said"))
        notify(app, canned_rows.HOSTILE)
        await pilot.pause()


async def test_enter_right_after_the_key_exports(captioned: Path, tmp_path: Path) -> None:
    """The key comes before there is a field to take it."""
    project = tmp_path / "run"
    shutil.copytree(captioned, project)
    app = MllmaugApp(project)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        app.simulate_key("e")
        app.simulate_key("enter")
        await until(pilot, lambda: (project / "run.json").exists(), 30)
        await until(pilot, lambda: "captions of 12 records" in label_text(app, "#said"), 30)
