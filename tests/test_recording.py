"""The README's animation: its frames, and the file that is in the repository."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

from tests.recording import Recording

ROOT = Path(__file__).parents[1]
SVG = "{http://www.w3.org/2000/svg}"
FRAME = (
    '<svg viewBox="0 0 100 50" xmlns="http://www.w3.org/2000/svg"><style>'
    "@font-face {{ src: url(x) }} .a {{ fill: red }}</style><text>{}</text></svg>"
)


def test_frames_are_shown_in_turn() -> None:
    recording = Recording()
    recording.add(FRAME.format("first"), 1.0)
    recording.add(FRAME.format("second"), 3.0)
    text = recording.svg()
    root = ElementTree.fromstring(text)
    assert root.get("viewBox") == "0 0 100 50"
    assert [next(group.iter(f"{SVG}text")).text for group in root.iter(f"{SVG}g")] == [
        "first",
        "second",
    ]
    shown = re.findall(r"([\d.]+)%\{visibility:visible\}([\d.]+)%\{visibility:hidden\}", text)
    assert [(float(begin), float(end)) for begin, end in shown] == [(0, 25), (25, 100)]
    assert "font-face" not in text and ".a { fill: red }" in text


def test_the_animation_of_the_readme_is_small_and_whole() -> None:
    path = ROOT / "docs/demo.svg"
    assert path.stat().st_size < 2_000_000
    frames = [group for group in ElementTree.parse(path).iter(f"{SVG}g") if group.get("style")]
    assert len(frames) > 5
