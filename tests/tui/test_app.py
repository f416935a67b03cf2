"""What keys do on every screen: modes, starting and stopping the run, quitting; and sizes."""

from __future__ import annotations

import gc
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot

from db import notices, projects
from db.connection import writing
from db.rows import NoticeKind, NoticeRow
from engine.utils.errors import RequestRefused
from tests.support import canned_projects
from tests.tui.conftest import FakeRunControl, label_text, press, ready, until
from tui.app import MllmaugApp
from tui.dialogs.help import Help
from tui.dialogs.quit import Leave
from tui.preload import preload
from tui.screens.dashboard import Dashboard
from tui.screens.samples import Samples
from tui.screens.shards import Shards
from tui.screens.too_small import TooSmall
from tui.screens.welcome import Welcome
from tui.widgets.key_bar import KeyBar
from tui.widgets.models import ModelsPane
from tui.widgets.throughput import ThroughputPlot

pytestmark = pytest.mark.asyncio
SIZE = (120, 36)


def make(tmp_path: Path, variant: str = "busy") -> MllmaugApp:
    return MllmaugApp(canned_projects.copy_canned_project(tmp_path / "cc3m-pilot", variant).folder)


async def test_modes(tmp_path: Path) -> None:
    app = make(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        assert isinstance(app.screen, Dashboard)
        await press(pilot, "2")
        assert isinstance(app.screen, Shards)
        await press(pilot, "3")
        assert isinstance(app.screen, Samples)
        await press(pilot, "1")
        assert isinstance(app.screen, Dashboard)


async def test_no_key_waits_for_imports_or_the_collector(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.app.PRELOAD_SECONDS", 0.01)
    # An application before may have preloaded in this process, and a worker unfrozen it since.
    preload.cache_clear()
    gc.unfreeze()
    app = make(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await until(pilot, gc.get_freeze_count)
        before = set(sys.modules)
        await press(pilot, *"2345", "question_mark", "escape", "e", "escape")
        assert not [name for name in set(sys.modules) - before if name.startswith("tui.")]


async def test_opening_and_closing_ask_for_nothing(
    tmp_path: Path, run_control: FakeRunControl
) -> None:
    app = make(tmp_path, "create")
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "q")
    assert run_control.calls == []
    assert app.return_code == 0


async def test_a_folder_without_a_project_ends_with_code_2(tmp_path: Path) -> None:
    app = MllmaugApp(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.return_code == 2)


@pytest.mark.parametrize(
    ("variant", "label", "kind"), [("busy", "pause", "pause"), ("create", "start", "start")]
)
async def test_p(
    tmp_path: Path, run_control: FakeRunControl, variant: str, label: str, kind: str
) -> None:
    app = make(tmp_path, variant)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        assert app.screen.active_bindings["p"].binding.action == label
        await press(pilot, "p")
        assert run_control.calls == [(kind, {})]


async def test_p_resumes_what_is_paused(tmp_path: Path, run_control: FakeRunControl) -> None:
    canned_projects.copy_canned_project(tmp_path / "p", "busy", shards=60, paused=True)
    app = MllmaugApp(tmp_path / "p")
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "p")
        assert run_control.calls == [("resume", {})]


async def test_p_is_off_when_everything_is_captioned(
    tmp_path: Path, run_control: FakeRunControl
) -> None:
    app = make(tmp_path, "finished")
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "p", "question_mark")
        assert run_control.calls == []
        assert "everything is captioned" in label_text(app, "#keys")


async def test_a_model_that_waits_for_its_server_says_so(tmp_path: Path) -> None:
    project = canned_projects.copy_canned_project(tmp_path / "cc3m-pilot", "busy")
    reason = "http://host/v1: HTTP 503 [/x] \x1b[31m loading"
    with writing(project.database) as connection:
        first = projects.models(connection)[0]
        projects.save_model(connection, replace(first, unavailable=reason, not_before=4e9))
    app = MllmaugApp(project.folder)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        assert app.session.snapshot is not None
        lines = app.screen.query_one(ModelsPane).lines(app.session.snapshot, 100)
        shown = [line.plain for line in lines if "WAIT" in line.plain]
        assert len(shown) == 1
        assert "WAIT waits until 07:06:40: http://host/v1: HTTP 503 [/x]" in shown[0]
        assert "\x1b" not in shown[0]


async def test_a_refusal_is_shown_and_nothing_breaks(
    tmp_path: Path, run_control: FakeRunControl
) -> None:
    app = make(tmp_path)
    run_control.error = RequestRefused("not now: [/x] \x1b[31m")
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "p")
        assert app.session.request_pending is False
        run_control.error = RuntimeError("[bold]what[/]")
        await press(pilot, "p")
        assert len(run_control.calls) == 2


@pytest.mark.parametrize(
    ("key", "calls"),
    [
        ("d", []),
        ("s", [("stop", {"after_shard": True})]),
        ("K", [("stop", {"after_shard": False})]),
    ],
)
@pytest.mark.parametrize("way", ["q", "ctrl+q", "ctrl+c"])
async def test_quit(
    tmp_path: Path, run_control: FakeRunControl, key: str, calls: list[object], way: str
) -> None:
    app = make(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await pilot.press(way)
        await until(pilot, lambda: isinstance(app.screen, Leave))
        await pilot.press(key)
        await until(pilot, lambda: app._exit)
    assert run_control.calls == calls


async def test_staying(tmp_path: Path, run_control: FakeRunControl) -> None:
    app = make(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "q", "ctrl+c", "escape")
        assert isinstance(app.screen, Dashboard)
        assert run_control.calls == []


@pytest.mark.parametrize(("key", "after_shard"), [("s", True), ("K", False)])
async def test_stop(
    tmp_path: Path, run_control: FakeRunControl, key: str, after_shard: bool
) -> None:
    app = make(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "K", "escape")
        assert run_control.calls == []
        await press(pilot, "K", key)
        await until(pilot, lambda: run_control.calls == [("stop", {"after_shard": after_shard})])
        assert isinstance(app.screen, Dashboard)
        assert not app._exit


async def test_nothing_stops_without_a_run(tmp_path: Path) -> None:
    app = make(tmp_path, "create")
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "K")
        assert isinstance(app.screen, Dashboard)
        assert "Stop: nothing is running" in [each.message for each in app._notifications]


async def test_a_refused_stop_stays_open(tmp_path: Path, run_control: FakeRunControl) -> None:
    app = make(tmp_path)
    run_control.error = RequestRefused("no")
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "q", "s")
        assert not app._exit


async def test_window(tmp_path: Path) -> None:
    app = make(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        plot = app.screen.query_one(ThroughputPlot)
        assert not plot.has_focus
        before = len(plot.points)
        await press(pilot, "t")
        assert len(plot.points) != before
        await press(pilot, "t", "t", "t")
        assert len(plot.points) == before


async def test_too_small(tmp_path: Path, run_control: FakeRunControl) -> None:
    app = make(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await pilot.resize_terminal(59, 24)
        await pilot.pause()
        assert isinstance(app.screen, TooSmall)
        await press(pilot, "p", "2", "e")
        assert run_control.calls == []
        assert isinstance(app.screen, TooSmall)
        await pilot.resize_terminal(60, 24)
        await pilot.pause()
        assert isinstance(app.screen, Dashboard)


async def test_a_click_on_the_key_line_does_what_the_key_does(
    tmp_path: Path, run_control: FakeRunControl
) -> None:
    app = make(tmp_path, "create")
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        bar = app.screen.query_one(KeyBar)
        shown = bar.render().plain
        await pilot.click(bar, offset=(shown.index("Export"), 0))
        await pilot.click(bar, offset=(len(shown) + 3, 0))
        assert isinstance(app.screen, Dashboard), "there is no caption to export yet"
        await pilot.click(bar, offset=(shown.index("Run"), 0))
        await until(pilot, lambda: run_control.calls == [("start", {})])
        await pilot.click(bar, offset=(shown.index("?"), 0))
        await until(pilot, lambda: isinstance(app.screen, Help))


async def test_welcome() -> None:
    app = MllmaugApp(None)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert isinstance(app.screen, Welcome)
        await press(pilot, "2", "p", "e")
        assert isinstance(app.screen, Welcome)
        await press(pilot, "q")
    assert app.return_code == 0


async def test_a_killed_run_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = make(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        written = escapes_of(app, monkeypatch)
        monkeypatch.setattr("engine.process.identity.is_alive", lambda row: False)
        for _ in range(2):
            await press(pilot, "ctrl+r")
            await until(
                pilot,
                lambda: app.session.snapshot is not None and app.session.snapshot.state == "killed",
            )
        messages = [each.message for each in app._notifications if "was killed" in each.message]
        assert messages == ["the run was killed; no caption is lost, and p goes on with it"]
        assert written == ["\a\x1b]9;mllmaug cc3m-pilot: the run was killed\x1b\\"]


def escapes_of(app: MllmaugApp, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the bells and notifications that the application writes from now on."""
    written: list[str] = []
    monkeypatch.delenv("VTE_VERSION", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr(
        app._driver, "write", lambda data: written.append(data) if "\a" in data else None
    )
    return written


async def test_what_happens_to_the_run_rings_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make(tmp_path)
    project = app.session.project
    assert project is not None

    async def tell(pilot: Pilot[Path], kind: NoticeKind, cause: str | None = None) -> None:
        row = NoticeRow(created=1.0, kind=kind, text=f"{kind} \x1b;", model="llava", cause=cause)
        with writing(project.database) as connection:
            notices.add(connection, [row], lambda kind: [])
            count = notices.last_id(connection)
        await press(pilot, "ctrl+r")
        await until(
            pilot,
            lambda: app.session.snapshot is not None and len(app.session.snapshot.notices) == count,
        )

    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        written = escapes_of(app, monkeypatch)
        await tell(pilot, "paused", "user")
        await tell(pilot, "model_blocked")
        await tell(pilot, "paused", "disk_full")
        await press(pilot, "ctrl+r")
    first, second = written
    assert first == "\a\x1b]9;mllmaug cc3m-pilot: llava model_blocked \u241b,\x1b\\"
    assert "paused" in second
