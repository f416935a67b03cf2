"""Pictures of every screen and dialog at both sizes, with a fixed clock and canned projects.

`python -m pytest tests/tui/test_pictures.py --snapshot-update` takes them anew.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests import canned
from tests.tui.conftest import press, ready
from tui.app import MllmaugApp

SIZES = pytest.mark.parametrize("size", [(120, 36), (80, 24)], ids=["120x36", "80x24"])
SCENES: dict[str, tuple[str, tuple[str, ...]]] = {
    "dashboard": ("busy", ()),
    "dashboard-idle": ("create", ()),
    "shards": ("busy", ("2",)),
    "shards-marked": ("busy", ("2", "space", "j", "space", "j")),
    "shards-filtered": ("busy", ("2", "slash", *"status:failed", "enter")),
    "samples": ("busy", ("3",)),
    "samples-hostile": ("hostile", ("3",)),
    "export": ("busy", ("e",)),
    "quit": ("busy", ("q",)),
    "confirm": ("busy", ("2", "r")),
    "help": ("busy", ("question_mark",)),
    "palette": ("busy", ("colon",)),
}


@SIZES
@pytest.mark.parametrize("scene", SCENES)
def test_picture(snap_compare, tmp_path: Path, scene: str, size: tuple[int, int]) -> None:
    make, keys = SCENES[scene]

    async def show(pilot: Pilot[None]) -> None:
        await ready(pilot)
        await press(pilot, *keys)

    app = MllmaugApp(canned.copied(tmp_path / "cc3m-pilot", make).folder)
    assert snap_compare(app, terminal_size=size, run_before=show)


@SIZES
def test_welcome_picture(snap_compare, size: tuple[int, int]) -> None:
    async def show(pilot: Pilot[None]) -> None:
        await pilot.pause()

    assert snap_compare(MllmaugApp(None), terminal_size=size, run_before=show)


def test_too_small_picture(snap_compare, tmp_path: Path) -> None:
    async def show(pilot: Pilot[None]) -> None:
        await ready(pilot)

    app = MllmaugApp(canned.copied(tmp_path / "cc3m-pilot", "busy").folder)
    assert snap_compare(app, terminal_size=(60, 20), run_before=show)
