"""Pictures of every screen and dialog at two sizes, compared with stored SVG files.

Clock and projects are fixed. `python -m pytest tests/tui/test_pictures.py --snapshot-update`
stores the pictures as they are now.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from db.rows import Rating
from engine.images.image import ImagePaths
from engine.operations.pilot import PilotPlan
from engine.operations.tryout import TryoutEvent, TryoutJob
from engine.shearing.shear import Shearing
from tests.support import canned_projects, canned_rows
from tests.support.cli import cli_ok
from tests.support.judged_project import copy_judged_project
from tests.support.pictures import draw_picture, make_captions
from tests.tui.conftest import label_text, open_wizard, press, ready, settle, steady, until
from tui.app import MllmaugApp
from tui.config.settings import UserSettings
from tui.dialogs.pilot import Pilot as PilotScreen
from tui.dialogs.wizard.wizard import STEPS
from tui.widgets.checkbox import BracketCheckbox

SIZES = pytest.mark.parametrize("size", [(120, 36), (80, 24)], ids=["120x36", "80x24"])
ALL_SIZES = pytest.mark.parametrize(
    "size", [(120, 36), (80, 24), (200, 60)], ids=["120x36", "80x24", "200x60"]
)
SCENES: dict[str, tuple[str, tuple[str | tuple[str, ...], ...]]] = {
    "dashboard": ("busy", ()),
    "dashboard-idle": ("create", ()),
    "shards": ("busy", ("2",)),
    "shards-marked": ("busy", ("2", "space", "j", "space", "j")),
    "shards-filtered": ("busy", ("2", "slash", tuple("status:failed"), "enter")),
    "samples": ("busy", ("3",)),
    "samples-diff": ("busy", ("3", "d")),
    "samples-no-image": ("busy", ("3", "i", "b", "b")),
    "samples-whole-picture": ("busy", ("3", "Z")),
    "samples-grid": ("busy", ("3", "t")),
    "samples-hostile": ("hostile", ("3",)),
    "failures": ("busy", ("4",)),
    "failures-records": ("busy", ("4", "j", "enter", "space")),
    "failures-hostile": ("hostile", ("4",)),
    "logs": ("busy", ("5",)),
    "logs-search": ("busy", ("5", "slash", tuple("memory"), "enter")),
    "coverage": ("busy", ("c", "n")),
    "lengths": ("busy", ("h",)),
    "export": ("busy", ("e",)),
    "quit": ("busy", ("q",)),
    "confirm": ("busy", ("2", "r")),
    "confirm-exclude": ("busy", ("4", "j", "x")),
    "pin": ("busy", ("2", "P")),
    "jump": ("busy", ("3", "J")),
    "details": ("busy", ("2", "slash", tuple("status:failed"), "enter", "enter")),
    "help": ("busy", ("question_mark",)),
    "palette": ("busy", ("colon",)),
    "palette-search": ("busy", ("2", "colon", tuple("retry"))),
    "zoom": ("busy", ("tab", "z")),
    "failures-by-shard": ("busy", ("4", "s", "s")),
    "models": ("busy", ("M",)),
    "settings": ("busy", ("M", "enter")),
    "add-model": ("create", ("M", "a")),
    "reshear": ("finished", ("H",)),
    "run-on-devices": ("create", ("u",)),
}
LARGE_SCENES = ("samples", "samples-whole-picture", "samples-grid", "failures-records")
"""The scenes with a picture of an image, which are drawn at 200x60 as well."""
THEMES = ("textual-light", "colour-blind-dark", "colour-blind-light")


@pytest.mark.parametrize(
    ("scene", "size"),
    [
        pytest.param(scene, size, id=f"{scene}-{size[0]}x{size[1]}")
        for scene in SCENES
        for size in ((120, 36), (80, 24), *([(200, 60)] if scene in LARGE_SCENES else []))
    ],
)
def test_picture(
    snap_compare: Callable[..., bool], tmp_path: Path, scene: str, size: tuple[int, int]
) -> None:
    variant, keys = SCENES[scene]

    async def show(pilot: Pilot[Path]) -> None:
        await ready(pilot)
        await press(pilot, *keys, drawn=False)
        await steady(pilot)

    app = MllmaugApp(canned_projects.copy_canned_project(tmp_path / "cc3m-pilot", variant).folder)
    assert snap_compare(app, terminal_size=size, run_before=show)


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({}, (80, 24)),
        ({}, (120, 36)),
        ({}, (200, 60)),
        ({"models": ("otter",), "scorer": False}, (80, 24)),
    ],
    ids=["80x24", "120x36", "200x60", "one-model-80x24"],
)
def test_quality_picture(
    snap_compare: Callable[..., bool],
    tmp_path: Path,
    options: dict[str, Any],
    size: tuple[int, int],
) -> None:
    async def show(pilot: Pilot[Path]) -> None:
        await ready(pilot)
        await press(pilot, "6", "j", "j", drawn=False)
        await steady(pilot)

    app = MllmaugApp(copy_judged_project(tmp_path / "p", **options).folder)
    assert snap_compare(app, terminal_size=size, run_before=show)


@pytest.mark.parametrize(
    "size", [(80, 24), (120, 36), (200, 60)], ids=["80x24", "120x36", "200x60"]
)
def test_export_filters_picture(
    snap_compare: Callable[..., bool], tmp_path: Path, size: tuple[int, int]
) -> None:
    async def show(pilot: Pilot[Path]) -> None:
        await ready(pilot)
        await press(pilot, "e", drawn=False)
        screen = pilot.app.screen
        screen.query_one("#path", Input).value = "captions.json"
        screen.query_one("#without", Input).value = "loops,leaks"
        screen.query_one("#best", Input).value = "1"
        screen.query_one("#share", Input).focus()
        await until(pilot, lambda: "captions stay" in str(screen.query_one(".dialog").border_title))
        await steady(pilot)

    app = MllmaugApp(copy_judged_project(tmp_path / "p").folder)
    assert snap_compare(app, terminal_size=size, run_before=show)


@SIZES
def test_welcome_picture(snap_compare: Callable[..., bool], size: tuple[int, int]) -> None:
    async def show(pilot: Pilot[Path]) -> None:
        await pilot.pause()

    assert snap_compare(MllmaugApp(None), terminal_size=size, run_before=show)


def test_too_small_picture(snap_compare: Callable[..., bool], tmp_path: Path) -> None:
    async def show(pilot: Pilot[Path]) -> None:
        await ready(pilot)

    app = MllmaugApp(canned_projects.copy_canned_project(tmp_path / "cc3m-pilot", "busy").folder)
    assert snap_compare(app, terminal_size=(60, 20), run_before=show)


@pytest.mark.parametrize("theme", THEMES)
def test_theme_picture(snap_compare: Callable[..., bool], tmp_path: Path, theme: str) -> None:
    async def show(pilot: Pilot[Path]) -> None:
        await ready(pilot)
        await press(pilot, "2", "slash", tuple("status:failed"), "enter", drawn=False)
        await steady(pilot)

    folder = canned_projects.copy_canned_project(tmp_path / "cc3m-pilot", "busy").folder
    app = MllmaugApp(folder, settings=UserSettings(theme=theme))
    assert snap_compare(app, terminal_size=(120, 36), run_before=show)


@SIZES
@pytest.mark.parametrize("step", range(5), ids=[step.NAME for step in STEPS])
def test_wizard_picture(
    snap_compare: Callable[..., bool],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    size: tuple[int, int],
    step: int,
) -> None:
    make_captions(tmp_path / "data", 12)
    disk = SimpleNamespace(free=500 * 2**30)
    monkeypatch.setattr("tui.dialogs.wizard.review.shutil.disk_usage", lambda path: disk)
    monkeypatch.setattr(
        "engine.hardware.devices.find_devices",
        lambda spec: [canned_rows.gpu_row(0), canned_rows.gpu_row(1)],
    )

    async def show(pilot: Pilot[Path]) -> None:
        wizard = await open_wizard(pilot)
        wizard.query_one("#captions", Input).value = "data/captions.json"
        wizard.query_one("#root", Input).value = "data"
        await until(pilot, lambda: wizard.step.why_not() is None)
        for _ in range(step):
            await until(pilot, lambda: wizard.step.why_not() is None)
            await press(pilot, "ctrl+n")
            for tick in wizard.query("#models BracketCheckbox").results(BracketCheckbox):
                tick.value = "dry-run" in str(tick.label)
        await until(pilot, lambda: wizard.step.why_not() is None or step == 1)
        await steady(pilot)

    assert snap_compare(MllmaugApp(None), terminal_size=size, run_before=show)


class CannedTryout:
    """Stands in for `Tryout`: yields at once what a model would."""

    cancelled = False

    def __init__(self, job: TryoutJob) -> None:
        self.job = job

    def __iter__(self) -> Iterator[TryoutEvent]:
        yield TryoutEvent(loaded=38.0)
        for i, _ in self.job.records:
            yield TryoutEvent(record=i, raw=canned_rows.RAW[i % 4], tokens=19, finish="length")
        yield TryoutEvent(rate=41.5, memory=15 * 2**30)

    def ask(self, request: object) -> Iterator[TryoutEvent]:
        yield from self

    def cancel(self) -> None: ...

    def end(self) -> None: ...


@ALL_SIZES
def test_pilot_picture(
    snap_compare: Callable[..., bool],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    size: tuple[int, int],
) -> None:
    monkeypatch.setattr("engine.operations.tryout.Tryout", CannedTryout)
    clock = SimpleNamespace(time=lambda: canned_rows.NOW)
    monkeypatch.setattr("tui.dialogs.pilot.time", clock)
    records = tuple((f"images/{n:06}.jpg", canned_rows.ORIGINALS[n % 4]) for n in range(8))
    job = TryoutJob(
        family="llava-1.5",
        checkpoint=None,
        settings={},
        records=[(n, image) for n, (image, _) in enumerate(records)],
        paths=ImagePaths(str(tmp_path)),
        device=canned_rows.gpu_row(0),
    )
    draw_picture(tmp_path / "images" / "000001.jpg", 1234567, (64, 48))
    jobs = tuple((name, job) for name in canned_rows.FAMILIES)
    plan = PilotPlan(
        jobs=jobs,
        records=records,
        total=3_318_000,
        devices=8,
        shearing=Shearing(),
        ratings={("otter", 1): Rating(False, "no bench"), ("otter", 2): Rating(True, "")},
    )

    async def show(pilot: Pilot[Path]) -> None:
        await pilot.pause()
        pilot.app.push_screen(PilotScreen(lambda: plan))
        await settle(pilot)
        await press(pilot, "n")
        await steady(pilot)

    assert snap_compare(MllmaugApp(None), terminal_size=size, run_before=show)


@ALL_SIZES
def test_workshop_picture(
    snap_compare: Callable[..., bool],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    size: tuple[int, int],
) -> None:
    monkeypatch.setattr("engine.operations.prompt_workshop.Tryout", CannedTryout)
    captions = make_captions(tmp_path / "data", 8)
    cli_ok("new", tmp_path / "cc3m-pilot", captions, "--model", "served=http://localhost:8000/v1")
    app = MllmaugApp(tmp_path / "cc3m-pilot")

    async def show(pilot: Pilot[Path]) -> None:
        await ready(pilot)
        await press(pilot, "W", drawn=False)
        await until(pilot, lambda: "8 captions" in label_text(app, "#head-a"))
        app.screen.query_one("#prompt-b", Input).value = "Describe the image in one sentence."
        await press(pilot, "enter", drawn=False)
        await until(pilot, lambda: "8 captions" in label_text(app, "#head-b"))
        await press(pilot, "down", drawn=False)
        await steady(pilot)

    assert snap_compare(app, terminal_size=size, run_before=show)
