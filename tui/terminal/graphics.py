"""How images are drawn on this terminal: as kitty or sixel pictures, in half cells, or not at all.

Pictures need textual-image, the extra `images`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Literal

from tui.config.settings import ImageMode
from tui.terminal.graphics_query import TerminalAnswer, ask_terminal

GraphicsProtocol = Literal["kitty", "sixel", "cells", "none"]
"""A way to draw an image; `cells`: two pixels a character cell."""

PROTOCOL_NAMES: Mapping[GraphicsProtocol, str] = {
    "kitty": "kitty's graphics protocol",
    "sixel": "sixel",
    "cells": "half blocks, two pixels per cell",
    "none": "none",
}
NEEDS_EXTRA = "kitty and sixel pictures need the images extra: pip install 'mllmaug-tui[images]'"
BETTER_TERMINALS = (
    "kitty, Ghostty, iTerm2, WezTerm, foot, Konsole and Windows Terminal draw pictures"
)
TMUX_ADVICE = "tmux passes pictures on from version 3.4 on, if it was built with sixel support"


@dataclass(frozen=True)
class ImageSupport:
    """The way in which images are drawn, and the reason why there are none, or no better ones."""

    protocol: GraphicsProtocol
    reason: str = ""

    def __str__(self) -> str:
        """Return what `doctor` says."""
        reason = f": {self.reason}" if self.reason else ""
        return f"pictures: {PROTOCOL_NAMES[self.protocol]}{reason}"


def choose(
    mode: ImageMode,
    environment: Mapping[str, str] = os.environ,
    ask: Callable[[], TerminalAnswer] = ask_terminal,
    ask_without_extra: bool = False,
) -> ImageSupport:
    """Return how to draw images, by the user's setting and what the terminal answers.

    Must be called before the application runs. Without the images extra the terminal is asked only
    if `ask_without_extra` is True, since the answer would change nothing.
    """
    if mode == "off":
        return ImageSupport("none", "images are off in config.toml")
    if environment.get("TERM", "") in ("", "dumb", "linux") and mode == "auto":
        return ImageSupport("none", f"this terminal cannot show pictures; {BETTER_TERMINALS}")
    if mode in ("kitty", "sixel"):
        if images_extra_installed():
            import_textual_image()
            return ImageSupport(mode, f'images = "{mode}" in config.toml')
        return ImageSupport("cells", NEEDS_EXTRA)
    if environment.get("NO_COLOR") is not None:
        return ImageSupport("none", "pictures need colours, and NO_COLOR is set")
    if mode == "cells":
        return ImageSupport("cells", 'images = "cells" in config.toml')
    installed = images_extra_installed()
    if not installed and not ask_without_extra:
        return ImageSupport("cells", NEEDS_EXTRA)
    support = judge_answer(ask(), installed, in_tmux=bool(environment.get("TMUX")))
    if support.protocol in ("kitty", "sixel"):
        import_textual_image()
    return support


def judge_answer(answer: TerminalAnswer, installed: bool, in_tmux: bool) -> ImageSupport:
    """Return the best way to draw images on a terminal that answered so.

    Sixel comes first: of the terminals with both, some draw kitty's pictures only at the cursor,
    not at the placeholders that textual-image writes. Inside tmux, tmux answers for itself.
    """
    name = answer.name or "the terminal"
    if not answer.sixel and (in_tmux or not answer.kitty):
        advice = TMUX_ADVICE if in_tmux else BETTER_TERMINALS
        return ImageSupport("cells", f"{name} does not say that it draws pictures; {advice}")
    protocol: GraphicsProtocol = "sixel" if answer.sixel else "kitty"
    if not installed:
        return ImageSupport("cells", f"{name} draws {protocol} pictures; {NEEDS_EXTRA}")
    return ImageSupport(protocol, f"{name} says that it draws them")


def images_extra_installed() -> bool:
    return find_spec("textual_image") is not None


def import_textual_image() -> None:
    """Import textual-image without the questions that it asks the terminal on import.

    It waits only 0.1 s: over a slow line the answers come later, and would count as keys.
    """
    stdout, sys.__stdout__ = sys.__stdout__, None  # type: ignore[misc]
    try:
        import_module("textual_image.renderable")
    finally:
        sys.__stdout__ = stdout  # type: ignore[misc]
    import_module("textual_image.widget")
