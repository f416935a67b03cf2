"""`python -m tests.recording docs/demo.svg` records the README's animation, of a real run.

The application runs the demonstration's project and is used by its keys; what it draws is saved as
frames of one SVG, which browsers show one after the other.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from textual.pilot import Pilot

from engine.operations.demo_project import MODELS, make_demo
from tests.tui.conftest import press, ready, settle, steady
from tui.app import MllmaugApp

SIZE = (100, 30)
"""Columns and rows of the terminal."""
IMAGES = 400
"""Scenes: the run takes about as long as one looks at it."""
RUNNING_FRAMES = 6
READ_SECONDS = 4.0
"""How long a frame is shown that is there to be read."""
STEP_SECONDS = 1.0
"""How long a frame is shown that others like it follow."""
FONT_FACE = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)
"""Left out: an SVG that is shown as an image loads no fonts, and each frame repeats them."""


@dataclass
class Recording:
    """The frames of an animation."""

    frames: list[tuple[str, float]] = field(default_factory=list)
    """What was drawn, as SVG, and the seconds for which it is shown."""

    def add(self, svg: str, seconds: float) -> None:
        self.frames.append((FONT_FACE.sub("", svg), seconds))

    def svg(self) -> str:
        """Return one SVG that shows the frames in turn, for ever.

        Whoever has asked for less motion sees the last frame.
        """
        size = re.search(r'viewBox="([^"]+)"', self.frames[0][0])
        if size is None:
            raise ValueError("the first frame has no viewBox")
        total = sum(seconds for _, seconds in self.frames)
        rules, groups, begin = [], [], 0.0
        for number, (frame, seconds) in enumerate(self.frames):
            first, end = 100 * begin / total, 100 * (begin + seconds) / total
            # Each frame is shown from its beginning to its end, and hidden outside.
            shown = f"{first:.3f}%{{visibility:visible}}{end:.3f}%{{visibility:hidden}}"
            rules.append(f"@keyframes f{number}{{0%{{visibility:hidden}}{shown}}}")
            animation = f"f{number} {total:g}s step-end infinite"
            groups.append(f'<g class="frame" style="animation:{animation}">{frame}</g>')
            begin += seconds
        return (
            f'<svg viewBox="{size[1]}" xmlns="http://www.w3.org/2000/svg"><style>'
            ".frame{visibility:hidden}"
            f"{''.join(rules)}"
            "@media (prefers-reduced-motion:reduce){.frame{animation:none!important}"
            ".frame:last-child{visibility:visible}}"
            f"</style>{''.join(groups)}</svg>\n"
        )


@dataclass
class Camera:
    """Uses the application and records what it draws."""

    pilot: Pilot[Path]
    recording: Recording = field(default_factory=Recording)

    async def take(self, seconds: float) -> None:
        await settle(self.pilot)
        self.recording.add(self.pilot.app.export_screenshot(simplify=True), seconds)

    async def press(self, *keys: str, seconds: float = READ_SECONDS) -> None:
        """Press keys, and record what is drawn when all of it has come."""
        await press(self.pilot, *keys)
        await steady(self.pilot)
        await self.take(seconds)

    async def wait(self, done: Callable[[], bool]) -> None:
        while not done():
            await self.pilot.pause(0.1)


async def record(folder: Path) -> Recording:
    """Run the project in the application, look around, and export."""
    app = MllmaugApp(folder)

    def reached(share: float) -> bool:
        snapshot = app.session.snapshot
        captions = sum(model.captioned for model in snapshot.captioners) if snapshot else 0
        return captions >= share * IMAGES * len(MODELS)

    def is_finished() -> bool:
        return app.session.snapshot is not None and app.session.snapshot.state == "finished"

    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        camera = Camera(pilot)
        await camera.take(STEP_SECONDS)
        await press(pilot, "p")
        for number in range(1, RUNNING_FRAMES + 1):
            await camera.wait(partial(reached, number / (RUNNING_FRAMES + 1)))
            await camera.take(STEP_SECONDS)
        await camera.press("3")
        await camera.press("2")
        await press(pilot, "1")
        await camera.wait(is_finished)
        await camera.press()
        await camera.press("6")
        await camera.press("e")
        return camera.recording


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tests.recording FILE.svg")
    out = Path(sys.argv[1]).absolute()
    os.environ["TZ"] = "UTC"
    time.tzset()
    with tempfile.TemporaryDirectory() as name:
        os.environ["XDG_STATE_HOME"] = name
        folder = make_demo(Path(name) / "demo", IMAGES).folder
        out.write_text(asyncio.run(record(folder)).svg())
    print(f"{out}: {out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
