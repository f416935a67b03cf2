from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from engine.utils.errors import BadInput
from tests.faults.support.terminals import Terminal
from tests.support import canned_projects as canned
from tests.tui.conftest import Asked, press, ready
from tui.app import MllmaugApp
from tui.config import settings, user_files
from tui.config.keymap import bindings
from tui.dialogs.confirm import Confirm
from tui.terminal import clipboard, graphics


def write(said: str) -> Path:
    path = user_files.config_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(said)
    return path


def test_nothing_is_set() -> None:
    assert settings.read() == settings.Settings()


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ('[keys]\n"shards.rertry" = "f"', "no key binding 'shards.rertry'"),
        ('[keys]\n"shards.retry" = 3', "write a key"),
        ('colour = "red"', "no setting 'colour'"),
        ('images = "gif"', "images must be one of"),
        ("theme = 3", "theme must be text"),
        ("= what", "cannot read"),
    ],
)
def test_what_makes_no_sense_names_the_file(said: str, reason: str) -> None:
    path = write(said)
    with pytest.raises(BadInput, match=reason) as caught:
        settings.read()
    assert str(path) in str(caught.value)


def test_the_command_refuses_it_with_code_2(tmp_path: Path) -> None:
    write('[keys]\n"none" = "f"')
    with Terminal(canned.copied(tmp_path / "p", "create").folder) as terminal:
        terminal.wait_for("config.toml")
        terminal.read(1)
        assert os.waitstatus_to_exitcode(os.waitpid(terminal.pid, 0)[1]) == 2


@pytest.mark.asyncio
async def test_keys_can_be_changed(tmp_path: Path, asked: Asked) -> None:
    write('theme = "colour-blind-dark"\n[keys]\n"shards.retry" = "f5"\n"app.pause" = "ctrl+t"')
    folder = canned.copied(tmp_path / "p", "busy").folder
    app = MllmaugApp(folder, settings=settings.read())
    async with app.run_test(size=(120, 36)) as pilot:
        await ready(pilot)
        assert app.theme == "colour-blind-dark"
        await press(pilot, "ctrl+t")
        assert asked.calls == [("pause", {})]
        await press(pilot, "2", "r")
        assert not isinstance(app.screen, Confirm)
        await press(pilot, "f5")
        assert isinstance(app.screen, Confirm)


@pytest.mark.asyncio
@pytest.mark.parametrize("theme", ["textual-light", "colour-blind-light", "no-such-theme"])
async def test_themes(tmp_path: Path, theme: str) -> None:
    folder = canned.copied(tmp_path / "p", "busy").folder
    app = MllmaugApp(folder, settings=settings.Settings(theme=theme))
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        await press(pilot, "2", "3", "4", "5", "1")
        assert app.theme == (theme if theme in app.available_themes else "textual-dark")


def test_every_binding_has_an_id_and_a_description() -> None:
    found = list(bindings())
    assert len(found) > 120
    assert all(binding.id and binding.description for binding in found)


def test_how_pictures_are_drawn() -> None:
    plain = {"TERM": "xterm-256color"}
    assert graphics.choose("auto", plain).protocol == "cells"
    assert graphics.choose("off", plain).protocol == "none"
    assert graphics.choose("auto", plain | {"NO_COLOR": "1"}).protocol == "none"
    assert graphics.choose("auto", {"TERM": "dumb"}).protocol == "none"
    assert not graphics.graphical({"TERM": "xterm-kitty", "TMUX": "/tmp/x"})
    assert graphics.graphical({"TERM": "xterm-kitty"})
    forced = graphics.choose("sixel", plain)
    assert forced.protocol == ("sixel" if graphics.extra_there() else "cells")


def test_a_copy_reaches_tmux_and_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def run(command: list[str], **options: object) -> subprocess.CompletedProcess[bytes]:
        asked.append((command[1:], options["input"]))
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setenv("TMUX", "/tmp/tmux,1,0")
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr("subprocess.run", run)
    said = clipboard.keep("a [/x]\n\udce9")
    assert asked == [(["load-buffer", "-w", "-"], b"a [/x]\n\\udce9")]
    assert "tmux's buffer" in said
    assert user_files.last_copy().read_text() == "a [/x]\n\\udce9"
    assert user_files.last_copy().stat().st_mode & 0o077 == 0
