from __future__ import annotations

import subprocess
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
import textual
from textual.pilot import Pilot
from textual.widgets import Input, Static
from textual.worker import WorkerCancelled

from engine.project.layout import Project
from engine.requests.exclude import Changed
from tests.support import canned_projects as canned
from tests.support.cli import cli_ok
from tests.support.waiting import PATIENCE
from tui.app import MllmaugApp
from tui.dialogs.wizard.wizard import Wizard

PINNED = "8.2.8"
Ready = Callable[[Pilot[None]], Awaitable[None]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if textual.__version__ != PINNED:
        skip = pytest.mark.skip(reason=f"pictures were taken with textual {PINNED}")
        for item in items:
            if "snap_compare" in getattr(item, "fixturenames", ()):
                item.add_marker(skip)


@pytest.fixture(autouse=True)
def fixed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Fixed clock, zone and folder, a steady cursor; every process that a database names lives."""
    monkeypatch.setattr(Input.cursor_blink, "_default", False)
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")
    monkeypatch.delenv("TMUX", raising=False)
    for module in ("screens.samples", "widgets.task_detail", "dialogs.wizard.step"):
        monkeypatch.setattr(f"tui.{module}.REST_SECONDS", 0.001)
    monkeypatch.delenv("NO_COLOR", raising=False)
    time.tzset()
    clock = SimpleNamespace(time=lambda: canned.NOW, monotonic=time.monotonic)
    monkeypatch.setattr("tui.viewmodel.snapshot.time", clock)
    monkeypatch.setattr("engine.process.identity.lives", lambda row: True)
    monkeypatch.chdir(tmp_path)


class Asked:
    """Stands in for the engine: remembers what was asked and answers at once."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, object]]] = []
        self.error: Exception | None = None

    def ask(self, project: Project, kind: str, **payload: object) -> str:
        self.calls.append((kind, payload))
        if self.error is not None:
            raise self.error
        if kind == "exclude":
            return Changed(1, 1).note()
        return f"{kind} [/x] done"

    def start(self, project: Project, devices: str = "auto") -> str:
        return self.ask(project, "start", **({"devices": devices} if devices != "auto" else {}))

    def resume(self, project: Project) -> str:
        return self.ask(project, "resume")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    stand_in = Asked()
    monkeypatch.setattr("engine.operations.run_control.ask", stand_in.ask)
    for name in ("start", "resume"):
        monkeypatch.setattr(f"tui.viewmodel.actions.{name}", getattr(stand_in, name))
    return stand_in


def said(app: MllmaugApp, selector: str) -> str:
    """The text of a label of the screen in front."""
    return str(app.screen.query_one(selector, Static).content)


async def until(pilot: Pilot[None], holds: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Waits for what a thread brings."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise AssertionError("it did not happen in time")
        await pilot.pause(0.02)
    await pilot.pause()


async def ready(pilot: Pilot[None]) -> None:
    """The first snapshot is on screen."""
    app = pilot.app
    assert isinstance(app, MllmaugApp)
    await until(pilot, lambda: app.snapshot is not None)


async def press(pilot: Pilot[None], *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
        await settle(pilot)


async def open_wizard(pilot: Pilot[None]) -> Wizard:
    """From the screen that comes without a project."""
    await pilot.pause()
    await press(pilot, "n")
    wizard = pilot.app.screen
    assert isinstance(wizard, Wizard)
    return wizard


async def settle(pilot: Pilot[None]) -> None:
    """Threads have answered and their answers are drawn, which may have started others."""
    for _ in range(5):
        await pilot.pause(0.005)
        if all(worker.is_finished for worker in pilot.app.workers):
            return
        with suppress(WorkerCancelled):  # one that a newer one of its group replaced
            await pilot.app.workers.wait_for_complete()


async def steady(pilot: Pilot[None]) -> None:
    """Two looks at the screen, a little apart, are the same."""
    before = ""
    for _ in range(50):
        await settle(pilot)
        await pilot.pause(0.05)
        now = pilot.app.export_screenshot()
        if now == before:
            return
        before = now


def run_command(command: str) -> None:
    """What a shell makes of it, in this process: starting another takes a second."""
    told = f"printf '%s\\0' {command}"
    done = subprocess.run(told, shell=True, capture_output=True, text=True, check=True)
    name, *arguments = done.stdout.removesuffix("\0").split("\0")
    assert name == "mllmaug-tui"
    cli_ok(*arguments)
