"""`python -m tests.screenshots docs/`: the README's pictures, of the canned project."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import engine.process.identity
import tui.viewmodel.snapshot
from tests.support import canned_projects as canned
from tests.tui.conftest import press, ready, steady
from tui.app import MllmaugApp

SIZE = (120, 36)
PICTURES = {
    "dashboard": (),
    "shards": ("2", "slash", *"status:failed", "enter"),
    "samples": ("3",),
    "failures": ("4",),
    "coverage": ("c", "n"),
}


async def take(out: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        os.environ["XDG_STATE_HOME"] = name
        folder = canned.busy(Path(name) / "cc3m-pilot").folder
        for picture, keys in PICTURES.items():
            app = MllmaugApp(folder)
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
    tui.viewmodel.snapshot.time = SimpleNamespace(time=lambda: canned.NOW, monotonic=time.monotonic)
    engine.process.identity.lives = lambda row: True
    asyncio.run(take(out))


if __name__ == "__main__":
    main()
