"""`python -m tests.screenshots docs/` saves the README's pictures, of a canned project."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

from engine.hardware import host
from engine.process import identity
from tests.support import canned_projects, canned_rows
from tests.support.judged_project import make_judged_project
from tests.tui.conftest import press, ready, steady
from tui.app import MllmaugApp
from tui.screens import quality
from tui.viewmodel import snapshot_reader

SIZE = (120, 36)
"""Columns and rows of the terminal."""
PICTURES = {
    "dashboard": (),
    "shards": ("2", "slash", *"status:failed", "enter"),
    "samples": ("3",),
    "failures": ("4",),
    "coverage": ("c", "n"),
    "quality": ("6", "j", "j"),
}
"""The keys that lead from the start to each picture, by the name of its file."""


async def save_screenshots(out: Path) -> None:
    """Save each of `PICTURES` in the folder as SVG."""
    with tempfile.TemporaryDirectory() as name:
        os.environ["XDG_STATE_HOME"] = name
        busy = canned_projects.make_busy_project(Path(name) / "cc3m-pilot")
        judged = make_judged_project(Path(name) / "judged")  # with captions that can be counted
        for picture, keys in PICTURES.items():
            app = MllmaugApp((judged if picture == "quality" else busy).folder)
            async with app.run_test(size=SIZE) as pilot:
                await ready(pilot)
                await press(pilot, *keys)
                await steady(pilot)
                (out / f"{picture}.svg").write_text(app.export_screenshot())


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tests.screenshots FOLDER")
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    os.environ["TZ"] = "UTC"
    time.tzset()
    clock = SimpleNamespace(time=lambda: canned_rows.NOW, monotonic=time.monotonic)
    for module in (snapshot_reader, quality):
        setattr(module, "time", clock)  # noqa: B010 (a module)
    identity.is_alive = lambda row: True
    host.measure_host = lambda folder: canned_rows.HOST
    asyncio.run(save_screenshots(out))


if __name__ == "__main__":
    main()
