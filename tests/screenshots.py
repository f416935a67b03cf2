"""`python -m tests.screenshots docs/` saves the README's pictures, of a run of the demonstration.

Two images are missing and one is damaged, so that Failures has something to show.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from textual.pilot import Pilot

from engine.operations.demo_project import make_demo
from tests.tui.conftest import press, ready, settle, steady
from tui.app import MllmaugApp

SIZE = (120, 36)
"""Columns and rows of the terminal."""
IMAGES = 400
"""Scenes: enough for a picture in the middle of the run."""
MIDDLE = 0.4
"""The share of the captions after which the picture of the running project is taken."""
PICTURES = {
    "shards": ("2",),
    "samples": ("3",),
    "failures": ("4", "j", "enter"),
    "coverage": ("c",),
    "quality": ("6",),
}
"""The keys that lead from the start to each picture of the finished project, by its file's name."""


def make_project(folder: Path) -> Path:
    """Draw the demonstration in a folder, and damage three of its images."""
    project = make_demo(folder, IMAGES)
    images = sorted((project.folder / "images").iterdir())
    for path in (images[37], images[218]):
        path.unlink()
    images[301].write_bytes(images[301].read_bytes()[:200])
    return project.folder


async def save(pilot: Pilot[Path], path: Path) -> None:
    """Save what is on the screen as SVG."""
    await settle(pilot)
    path.write_text(pilot.app.export_screenshot())


async def save_running(folder: Path, out: Path) -> None:
    """Run the project, and save its dashboard in the middle of the run."""
    command = (sys.executable, "-m", "mllmaug_tui", "run", folder.name, "--devices", "cpu:2")
    run = subprocess.Popen(command, cwd=folder.parent, stdout=subprocess.DEVNULL)
    app = MllmaugApp(folder)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        while run.poll() is None:
            await pilot.pause(0.2)
            snapshot = app.session.snapshot
            done = sum(model.captioned for model in snapshot.captioners) if snapshot else 0
            if done > MIDDLE * IMAGES * 4:
                break
        await save(pilot, out / "dashboard.svg")
    run.wait()


async def save_finished(folder: Path, out: Path) -> None:
    """Save each of `PICTURES` in the folder."""
    for picture, keys in PICTURES.items():
        app = MllmaugApp(folder)
        async with app.run_test(size=SIZE) as pilot:
            await ready(pilot)
            await press(pilot, *keys)
            await steady(pilot)
            await save(pilot, out / f"{picture}.svg")


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tests.screenshots FOLDER")
    out = Path(sys.argv[1]).absolute()
    out.mkdir(parents=True, exist_ok=True)
    os.environ["TZ"] = "UTC"
    time.tzset()
    with tempfile.TemporaryDirectory() as name:
        os.environ["XDG_STATE_HOME"] = name
        folder = make_project(Path(name) / "demo")
        asyncio.run(save_running(folder, out))
        asyncio.run(save_finished(folder, out))


if __name__ == "__main__":
    main()
