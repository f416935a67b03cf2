"""The application in a real terminal (tmux), by key."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from shlex import quote

import psutil
import pytest

from tests.support.cli import MAIN, cli_ok, status
from tests.support.pictures import make_captions
from tests.support.waiting import wait_for

ROOT = str(Path(__file__).parents[2])

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux")


class Terminal:
    """A tmux server of its own with one window."""

    def __init__(self, folder: Path) -> None:
        self.socket = f"mllmaug-test-{uuid.uuid4().hex[:8]}"
        self.folder = folder

    def tmux(self, *arguments: str) -> str:
        command = ["tmux", "-L", self.socket, "-f", "/dev/null", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout

    def open(self, *arguments: object, size: tuple[int, int] = (120, 36)) -> None:
        """Start `mllmaug-tui` with these arguments in a window of `size` (columns, lines)."""
        quoted = " ".join(quote(str(each)) for each in arguments)
        code = f"{quote(sys.executable)} -c {quote(MAIN)} {quoted}"
        home = f"XDG_STATE_HOME={quote(str(self.folder))} XDG_CONFIG_HOME={quote(str(self.folder))}"
        home += " COLUMNS=80 LINES=24"  # as readline exports them: the application must ignore them
        width, height = map(str, size)
        shell = f"cd {quote(str(self.folder))}; PYTHONPATH={quote(ROOT)} {home} {code}; sleep 60"
        self.tmux("new-session", "-d", "-x", width, "-y", height, shell)

    def keys(self, *keys: str) -> None:
        for key in keys:
            self.tmux("send-keys", key)

    def screen(self) -> str:
        return self.tmux("capture-pane", "-p")

    def wait_for_text(self, text: str, timeout: float = 60) -> str:
        """Wait until `text` is on the screen, and return the screen."""
        return wait_for(
            lambda: (screen := self.screen()) and text in screen and screen, timeout, 0.2
        )

    def has_corner_at(self, width: int) -> bool:
        """Return True if a pane's corner is in the last column: all was drawn for this width."""
        return any(len(line) == width and line[-1] == "╯" for line in self.screen().splitlines())

    def modes(self) -> str:
        """Return what the terminal was told: whether it reports the mouse, and shows the cursor."""
        modes = "mouse=#{mouse_any_flag} alternate=#{alternate_on} cursor=#{cursor_flag}"
        return self.tmux("display", "-p", modes).strip()

    def application(self) -> psutil.Process:
        """Return the process of the application, which the window's shell started."""
        shell = psutil.Process(int(self.tmux("display", "-p", "#{pane_pid}")))
        return shell.children()[0]

    def close(self) -> None:
        self.tmux("kill-server")


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    opened = Terminal(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    captions = make_captions(tmp_path / "data", 60)
    cli_ok("new", tmp_path / "run", captions, "--model", "dry-run", "--shards", 3)
    return tmp_path / "run"


def test_run_retry_and_export_by_key(terminal: Terminal, project: Path, tmp_path: Path) -> None:
    terminal.open(project)
    terminal.wait_for_text("IDLE")
    terminal.keys("p")
    terminal.wait_for_text("FINISHED")
    assert status(project)["models"][0]["captioned"] == 60
    terminal.keys("2")
    terminal.wait_for_text("[2 Shards]")
    terminal.wait_for_text("> 00000")
    terminal.keys("r")
    terminal.wait_for_text("Retry shard 00000 of dry-run?")
    terminal.keys("y")
    terminal.wait_for_text("WAIT")
    terminal.keys("q")
    terminal.tmux("kill-server")

    # Nothing runs: a retry waits for someone to press p, in another window as well.
    assert status(project)["tasks"]["pending"] == 1
    terminal.open(project, size=(80, 24))
    terminal.wait_for_text("IDLE")
    terminal.keys("p")
    terminal.wait_for_text("FINISHED")
    terminal.keys("e")
    terminal.wait_for_text("Export")
    terminal.keys("Enter")
    terminal.wait_for_text("60 captions of 60 records")
    assert len(json.loads((project / "run.json").read_text())) == 60


def test_closing_the_window_does_not_end_the_run(terminal: Terminal, tmp_path: Path) -> None:
    captions = make_captions(tmp_path / "data", 40)
    cli_ok("new", tmp_path / "run", captions, "--model", "dry-run", "--shards", 4)
    terminal.open(tmp_path / "run")
    terminal.wait_for_text("IDLE")
    application = terminal.application()
    terminal.keys("p")
    wait_for(lambda: status(tmp_path / "run")["state"] != "idle", 60, 0.2)
    terminal.close()
    wait_for(lambda: not application.is_running())
    wait_for(lambda: status(tmp_path / "run")["state"] == "finished", 60, 0.2)
    terminal.open(tmp_path / "run")
    terminal.wait_for_text("FINISHED")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_the_terminal_is_as_it_was_after_a_signal(
    terminal: Terminal, project: Path, number: signal.Signals
) -> None:
    terminal.open(project)
    terminal.wait_for_text("IDLE")
    assert terminal.modes() == "mouse=1 alternate=1 cursor=0"
    application = terminal.application()
    application.send_signal(number)
    wait_for(lambda: not application.is_running())
    wait_for(lambda: terminal.modes() == "mouse=0 alternate=0 cursor=1")
    assert "Traceback" not in terminal.screen()


def test_hostile_image_names_and_a_resized_window(terminal: Terminal, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    names = ["[/x] \x1b[31m.png", "a\nb.png", "猫שלום.png", "[bold]"]
    records = [{"image": name, "caption": f"{name} [/y]"} for name in names]
    (folder / "captions.json").write_text(json.dumps(records))
    arguments = ("--model", "dry-run", "--allow-missing")
    cli_ok("new", tmp_path / "run", folder / "captions.json", *arguments)
    cli_ok("run", tmp_path / "run", "--devices", "cpu")
    terminal.open(tmp_path / "run")
    terminal.wait_for_text("FINISHED")
    terminal.keys("4")
    terminal.wait_for_text("Failed: 4 images")
    terminal.keys("j", "Enter", "o")
    terminal.wait_for_text("Records: shard 00000, 4")
    for width, height in ((80, 24), (200, 60)):
        terminal.tmux("resize-window", "-x", str(width), "-y", str(height))
        wait_for(partial(terminal.has_corner_at, width), 60, 0.2)
        terminal.wait_for_text("[3 Samples]")
    terminal.keys("j", "j", "j", "1", "5", "2")
    assert "Traceback" not in terminal.wait_for_text("Shards]")
