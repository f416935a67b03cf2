"""Every text can be read in every theme: at least 4.5 to 1 (WCAG 2.2, success criterion 1.4.3)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.color_triplet import ColorTriplet
from rich.segment import Segment
from rich.style import Style
from textual.color import Color

from tests.support.canned_projects import copy_canned_project
from tests.tui.conftest import press, ready, settle
from tui.app import MllmaugApp
from tui.formatting.contrast import ReadableText

LEAST = 4.5
VIEWS = ("1", "2", "3", "4", "5", "6", "2 slash", "e", "M", "question_mark", "colon", "q")
"""The keys that open what is looked at, one screen or dialog after the other."""
IN_ALL_THEMES = ("1", "4", "e")
"""Those that are looked at in every theme, and not in the usual ones alone."""
USUAL = ("textual-dark", "textual-light", "colour-blind-dark", "colour-blind-light")
OF_THE_TERMINAL = ("ansi-dark", "ansi-light")
"""Themes whose colours only the terminal knows."""


def luminance(colour: ColorTriplet) -> float:
    """Return the relative luminance of a colour, as WCAG defines it."""
    parts = [part / 255 for part in colour]
    light = [it / 12.92 if it <= 0.03928 else ((it + 0.055) / 1.055) ** 2.4 for it in parts]
    return 0.2126 * light[0] + 0.7152 * light[1] + 0.0722 * light[2]


def contrast(first: ColorTriplet, second: ColorTriplet) -> float:
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def faint_texts(lines: list[list[Segment]]) -> Iterator[str]:
    """Yield the texts with too little contrast, and the contrast."""
    for segment in (it for line in lines for it in line):
        style, text = segment.style, segment.text.strip()
        if style is None or style.color is None or style.bgcolor is None:
            continue
        found = contrast(style.color.get_truecolor(), style.bgcolor.get_truecolor())
        if found < LEAST and any(sign.isalnum() for sign in text):
            yield f"{found:.1f} {text}"


def drawn(app: MllmaugApp) -> list[list[Segment]]:
    """Return what is drawn: of a dialog itself, without what it dims behind it."""
    strips = app.screen._compositor.render_strips()
    dialogs = app.screen.query(".dialog") if app.screen.is_modal else ()
    if not dialogs:
        return [list(strip) for strip in strips]
    return [
        list(strips[y].crop(dialog.region.x, dialog.region.right))
        for dialog in dialogs
        for y in range(dialog.region.y, dialog.region.bottom)
        if y < len(strips)
    ]


async def test_every_text_in_every_theme(tmp_path: Path) -> None:
    app = MllmaugApp(copy_canned_project(tmp_path / "p", "busy").folder)
    faint: dict[str, list[str]] = {}
    async with app.run_test(size=(120, 36)) as pilot:
        await ready(pilot)
        for view in VIEWS:
            await press(pilot, *view.split())
            for theme in app.available_themes if view in IN_ALL_THEMES else USUAL:
                if theme not in OF_THE_TERMINAL:
                    app.theme = theme
                    await settle(pilot)
                    faint.setdefault(theme, []).extend(faint_texts(drawn(app)))
            if app.screen.is_modal or view == "2 slash":
                await press(pilot, "escape")
    assert {theme: found for theme, found in faint.items() if found} == {}
    assert len(faint) > 15


@pytest.mark.parametrize("behind", ["#000000", "#ffffff", "#777777", "#4e5a67", "#c9a227"])
def test_no_background_is_too_hard(behind: str) -> None:
    """Grey on grey is the hardest: there black and white have almost the same contrast."""
    background = Color.parse(behind)
    for text in ("#767676", "#808080", "#ff0000", behind):
        style = Style(color=text, bgcolor=behind)
        (segment,) = ReadableText().apply([Segment("word", style)], background)
        assert segment.style is not None and list(faint_texts([[segment]])) == []


def test_what_is_no_faint_text_stays() -> None:
    kept = [
        Segment("word", Style(color="#ffffff", bgcolor="#000000")),
        Segment("▀▄█ ─", Style(color="#101010", bgcolor="#000000")),
        Segment("word", Style(color="red", bgcolor="black")),
        Segment("word"),
    ]
    assert ReadableText().apply(list(kept), Color.parse("#000000")) == kept
