"""Fixtures and helpers for the tests of the application: fixed surroundings, keys, waiting."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import textual
from textual.app import App
from textual.css.model import RuleSet
from textual.css.query import NoMatches
from textual.css.stylesheet import Stylesheet
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input, Static
from textual.worker import WorkerCancelled

from engine.project.layout import Project
from engine.requests.answers import Answer, ExcludeResult
from engine.requests.kinds import Exclude, Request, to_payload
from tests.support import canned_rows
from tests.support.cli import cli_ok
from tests.support.waiting import TIMEOUT_SECONDS
from tui.app import MllmaugApp
from tui.dialogs.wizard.wizard import Wizard

PICTURES_TEXTUAL = "8.2.8"
"""The version of Textual that drew the stored pictures: another draws other ones."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if textual.__version__ != PICTURES_TEXTUAL:
        skip = pytest.mark.skip(reason=f"pictures were taken with textual {PICTURES_TEXTUAL}")
        for item in items:
            if "snap_compare" in getattr(item, "fixturenames", ()):
                item.add_marker(skip)


@pytest.fixture(scope="session", autouse=True)
def parsed_styles() -> Iterator[None]:
    """Parse each style sheet once for all applications, not once for each."""
    parse = Stylesheet._parse_rules
    parsed: dict[object, list[RuleSet]] = {}

    def parse_once(self: Stylesheet, *source: Any, **options: Any) -> list[RuleSet]:
        key = (source, *options.items(), *self._variables.items())
        if key not in parsed:
            parsed[key] = parse(self, *source, **options)
        return parsed[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Stylesheet, "_parse_rules", parse_once)
        yield


draw_now = Screen._compositor_refresh


@pytest.fixture(scope="session", autouse=True)
def drawn_when_settled() -> Iterator[None]:
    """Leave the drawing to `draw`: each key changes a screen several times, and nobody looks."""

    def leave_for_later(self: Screen[object]) -> None:
        if self is not self.app.screen:
            draw_now(self)
        self._dirty_widgets.clear()  # the compositor keeps their regions
        self.app._update_mouse_over(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Screen, "_compositor_refresh", leave_for_later)
        yield


@pytest.fixture(autouse=True)
def fixed_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Fix clock, time zone and current folder; let no cursor blink and every process be alive."""
    monkeypatch.setattr(Input.cursor_blink, "_default", False)
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")
    monkeypatch.delenv("TMUX", raising=False)
    for module in ("screens.samples", "widgets.task_detail", "dialogs.wizard.step"):
        monkeypatch.setattr(f"tui.{module}.REST_SECONDS", 0.001)
    monkeypatch.delenv("NO_COLOR", raising=False)
    time.tzset()
    clock = SimpleNamespace(time=lambda: canned_rows.NOW, monotonic=time.monotonic)
    monkeypatch.setattr("tui.viewmodel.snapshot_reader.time", clock)
    monkeypatch.setattr("tui.screens.quality.time", clock)
    monkeypatch.setattr("tui.threads.background_job.BackgroundCall", CallHere)
    monkeypatch.setattr("engine.process.identity.is_alive", lambda row: True)
    monkeypatch.setattr("engine.hardware.host.measure_host", lambda folder: canned_rows.HOST)
    monkeypatch.chdir(tmp_path)


class CallHere:
    """Stands in for `BackgroundCall`, whose process takes a second to start."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.function = partial(function, *arguments)

    def run(self, progress: Callable[[int, int], None]) -> Any:
        return self.function(progress=progress)

    def cancel(self) -> None: ...


class FakeRunControl:
    """Stands in for `engine.operations.run_control`: records each request and answers at once."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, object]]] = []
        """The kind and the payload of each request."""
        self.error: Exception | None = None
        """Raised by every later request."""

    def record(self, kind: str, payload: dict[str, object]) -> str:
        self.calls.append((kind, payload))
        if self.error is not None:
            raise self.error
        return f"{kind} [/x] done"

    def send_request(self, project: Project, request: Request) -> Answer:
        text = self.record(request.kind, to_payload(request))
        return Answer(text, ExcludeResult(1, 1) if isinstance(request, Exclude) else None)

    def start(self, project: Project, devices: str = "auto") -> str:
        return self.record("start", {"devices": devices} if devices != "auto" else {})

    def resume(self, project: Project) -> str:
        return self.record("resume", {})


@pytest.fixture
def run_control(monkeypatch: pytest.MonkeyPatch) -> FakeRunControl:
    fake = FakeRunControl()
    monkeypatch.setattr("engine.operations.run_control.send_request", fake.send_request)
    for name in ("start", "resume"):
        monkeypatch.setattr(f"tui.viewmodel.actions.{name}", getattr(fake, name))
    return fake


def label_text(app: MllmaugApp, selector: str) -> str:
    """Return the text of a label on the screen in front."""
    return str(app.screen.query_one(selector, Static).content)


def draw(app: App[Any]) -> bool:
    """Draw what changed on the screen in front; return True if anything did."""
    changed = bool(app.screen._compositor._dirty_regions)
    draw_now(app.screen)
    return changed


async def until(
    pilot: Pilot[Path], condition: Callable[[], object], seconds: float = TIMEOUT_SECONDS
) -> None:
    """Wait until a condition holds, such as when a thread has read something.

    A condition about a widget that the screen in front does not have yet does not hold.
    """

    def holds() -> object:
        try:
            return condition()
        except NoMatches:
            return False

    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise AssertionError("it did not happen in time")
        await pilot.pause(0.02)
        draw(pilot.app)
    await pilot.pause()
    draw(pilot.app)


async def ready(pilot: Pilot[Path]) -> None:
    """Wait until the first snapshot is on screen."""
    app = pilot.app
    assert isinstance(app, MllmaugApp)
    await until(pilot, lambda: app.session.snapshot is not None)


async def press(pilot: Pilot[Path], *keys: str | tuple[str, ...], drawn: bool = True) -> None:
    """Press keys one by one, each after the effects of the one before have settled.

    The keys of a tuple, such as those of a text that is typed, are pressed without a wait. `drawn`
    is True if the screen is drawn after each key.
    """
    for key in keys:
        await pilot.press(*((key,) if isinstance(key, str) else key))
        await settle(pilot, drawn)


async def open_wizard(pilot: Pilot[Path]) -> Wizard:
    """Open the wizard from the Welcome screen."""
    await pilot.pause()
    await press(pilot, "ctrl+n")
    wizard = pilot.app.screen
    assert isinstance(wizard, Wizard)
    return wizard


async def settle(pilot: Pilot[Path], drawn: bool = True) -> None:
    """Wait until all threads have answered, and those that their answers started as well.

    `drawn` is True if the screen is drawn each time.
    """
    for _ in range(5):
        await pilot.pause(0.005)
        if drawn:
            draw(pilot.app)
        if all(worker.is_finished for worker in pilot.app.workers):
            return
        with suppress(WorkerCancelled):  # replaced by a newer worker of its group
            await pilot.app.workers.wait_for_complete()


async def steady(pilot: Pilot[Path]) -> None:
    """Wait until the screen has not changed for three pauses.

    One is not enough: on a loaded machine a pause can end before a timer's message is handled.
    """
    unchanged = 0
    for _ in range(60):
        await settle(pilot)
        await pilot.pause(0.05)
        unchanged = 0 if draw(pilot.app) else unchanged + 1
        if unchanged == 3:
            return
    raise AssertionError("the screen never stopped changing")


def run_shell_command(command: str) -> None:
    """Run a command line as a shell would split it, but in this process: another takes a second."""
    shell_line = f"printf '%s\\0' {command}"
    split = subprocess.run(shell_line, shell=True, capture_output=True, text=True, check=True)
    name, *arguments = split.stdout.removesuffix("\0").split("\0")
    assert name == "mllmaug-tui"
    cli_ok(*arguments)
