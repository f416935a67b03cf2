"""Settings from config.toml: keys, themes, images; and copies to the clipboard."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from engine.utils.user_config import config_file
from tests.faults.support.terminal import Terminal
from tests.support import canned_projects
from tests.support.cli import cli
from tests.tui.conftest import FakeRunControl, press, ready
from tui.app import MllmaugApp
from tui.config import settings, user_files
from tui.config.keymap import declared_bindings
from tui.dialogs.confirm import Confirm
from tui.terminal import clipboard


def write_config(content: str) -> Path:
    path = config_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def test_nothing_is_set() -> None:
    assert settings.read() == (settings.UserSettings(), None)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('[keys]\n"shards.rertry" = "f"', "no key binding 'shards.rertry'"),
        ('[keys]\n"shards.retry" = 3', "write a key"),
        ('colour = "red"', "no setting 'colour'"),
        ('images = "gif"', "images must be one of"),
        ("theme = 3", "theme must be text"),
        ("= what", "cannot read"),
    ],
)
def test_what_makes_no_sense_names_the_file(content: str, reason: str) -> None:
    path = write_config(content)
    warning = settings.read()[1]
    assert warning is not None and reason in warning and str(path) in warning


def test_the_application_starts_all_the_same_and_says_what_is_wrong(tmp_path: Path) -> None:
    write_config('[keys]\n"none" = "f"')
    with Terminal(canned_projects.copy_canned_project(tmp_path / "p", "create").folder) as terminal:
        terminal.wait_for("binding 'none'")
        terminal.type("q")
        terminal.read(1)
        assert os.waitstatus_to_exitcode(os.waitpid(terminal.pid, 0)[1]) == 0


def test_a_mistake_costs_no_other_setting() -> None:
    path = write_config('theme = "nord"\nimages = 7\nhealth_stop = "no"\ncolour = 1\n')
    valid, warning = settings.read()
    assert valid == settings.UserSettings(theme="nord")
    assert warning is not None and warning.startswith(f"{path}: there is no setting 'colour'")
    assert "(and 2 more mistakes)" in warning
    assert "\n" not in warning


def test_a_file_that_is_not_toml_is_ignored() -> None:
    path = write_config('theme = "nord\n')
    valid, warning = settings.read()
    assert valid == settings.UserSettings()
    assert warning is not None and f"cannot read {path}" in warning and "\n" not in warning


def test_nothing_is_said_of_a_good_file() -> None:
    write_config('theme = "nord"\n[keys]\n"app.pause" = "ctrl+t"\n')
    assert settings.read()[1] is None
    assert settings.config_warning() is None


@pytest.mark.parametrize(
    ("content", "mistake"),
    [
        ("helth_stop = false", "there is no setting 'helth_stop'"),
        ('health_stop = "false"', "health_stop must be true or false"),
        ("[on_event.mail]\ncomand = ['mail']", "no setting 'comand'"),
        ("[api_keys]\n'gpu07' = 'KEY'", "write a server as"),
        ("health_stop = fales", "cannot read "),
    ],
)
def test_commands_warn_of_a_mistake_in_one_line(tmp_path: Path, content: str, mistake: str) -> None:
    folder = canned_projects.copy_canned_project(tmp_path / "p", "finished").folder
    before = cli("status", folder, "--json")
    path = write_config(content)
    after = cli("status", folder, "--json")
    assert (after.returncode, before.stderr) == (before.returncode, "")
    assert json.loads(after.stdout).keys() == json.loads(before.stdout).keys()
    (line,) = after.stderr.splitlines()
    assert line.startswith("warning: ") and str(path) in line and mistake in line
    assert cli("failures", folder).stderr == "", "no setting counts for it"


def test_doctor_and_hooks_name_a_mistake_once() -> None:
    write_config("[on_event.mail]\ncomand = ['mail']")
    refused = cli("hooks")
    assert refused.returncode == 2
    assert len(refused.stderr.splitlines()) == 1
    assert cli("doctor").stdout.count("'comand'") == 1
    write_config("images = 'gif'")
    listed = cli("hooks")
    assert listed.returncode == 0 and "images must be one of" in listed.stderr
    assert cli("doctor").stdout.count("CHECK") == 1


@pytest.mark.asyncio
async def test_a_warning_is_a_notification(tmp_path: Path) -> None:
    folder = canned_projects.copy_canned_project(tmp_path / "p", "busy").folder
    app = MllmaugApp(folder, warning="config.toml: [bold] is no setting\x1b")
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        (shown,) = app._notifications
        assert shown.message == "config.toml: [bold] is no setting␛"
        assert (shown.severity, shown.markup) == ("warning", False)


@pytest.mark.asyncio
async def test_keys_can_be_changed(tmp_path: Path, run_control: FakeRunControl) -> None:
    write_config(
        'theme = "colour-blind-dark"\n[keys]\n"shards.retry" = "f5"\n"app.pause" = "ctrl+t"'
    )
    folder = canned_projects.copy_canned_project(tmp_path / "p", "busy").folder
    app = MllmaugApp(folder, settings=settings.read()[0])
    async with app.run_test(size=(120, 36)) as pilot:
        await ready(pilot)
        assert app.theme == "colour-blind-dark"
        await press(pilot, "ctrl+t")
        assert run_control.calls == [("pause", {})]
        await press(pilot, "2", "r")
        assert not isinstance(app.screen, Confirm)
        await press(pilot, "f5")
        assert isinstance(app.screen, Confirm)


@pytest.mark.asyncio
@pytest.mark.parametrize("theme", ["textual-light", "colour-blind-light", "no-such-theme"])
async def test_themes(tmp_path: Path, theme: str) -> None:
    folder = canned_projects.copy_canned_project(tmp_path / "p", "busy").folder
    app = MllmaugApp(folder, settings=settings.UserSettings(theme=theme))
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        await press(pilot, "2", "3", "4", "5", "1")
        assert app.theme == (theme if theme in app.available_themes else "textual-dark")


def test_every_binding_has_an_id_and_a_description() -> None:
    all_bindings = list(declared_bindings())
    assert len(all_bindings) > 120
    assert all(binding.id and binding.description for binding in all_bindings)


def test_a_copy_reaches_tmux_and_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[object] = []

    def run(command: list[str], **options: object) -> subprocess.CompletedProcess[bytes]:
        commands.append((command[1:], options["input"]))
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setenv("TMUX", "/tmp/tmux,1,0")
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr("subprocess.run", run)
    message = clipboard.save_copy("a [/x]\n\udce9")
    assert commands == [(["load-buffer", "-w", "-"], b"a [/x]\n\\udce9")]
    assert "tmux's buffer" in message
    assert user_files.last_copy_file().read_text() == "a [/x]\n\\udce9"
    assert user_files.last_copy_file().stat().st_mode & 0o077 == 0


@pytest.mark.asyncio
async def test_a_theme_is_kept() -> None:
    app = MllmaugApp(None)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert user_files.chosen_theme() is None
        app.theme = "colour-blind-dark"
        await pilot.pause()
    again = MllmaugApp(None)
    async with again.run_test(size=(80, 24)):
        assert again.theme == "colour-blind-dark"
    fixed = MllmaugApp(None, settings=settings.UserSettings(theme="textual-light"))
    async with fixed.run_test(size=(80, 24)):
        assert fixed.theme == "textual-light"


@pytest.mark.asyncio
@pytest.mark.parametrize("kept", [b"no-such-theme\n", b"\xff[/x]", b""])
async def test_a_kept_theme_that_is_not_there_is_passed_over(kept: bytes) -> None:
    path = user_files.theme_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(kept)
    app = MllmaugApp(None)
    async with app.run_test(size=(80, 24)):
        assert app.theme == "textual-dark"
