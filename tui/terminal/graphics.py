"""How images are drawn on this terminal: as kitty or sixel pictures, in half cells, or not at all.

Pictures need textual-image, the extra `images`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Literal

from tui.config.settings import ImageMode

GraphicsProtocol = Literal["kitty", "sixel", "cells", "none"]
"""A way to draw an image; `cells`: two pixels a character cell."""

GRAPHICAL_TERMINALS = (
    "kitty",
    "ghostty",
    "wezterm",
    "iterm",
    "foot",
    "mlterm",
    "mintty",
    "contour",
    "konsole",
)
"""Parts of the names of terminals that can show pictures."""
NEEDS_EXTRA = "needs the images extra: pip install 'mllmaug-tui[images]'"


@dataclass(frozen=True)
class ImageSupport:
    """The way in which images are drawn, and the reason why there are none, or no better ones."""

    protocol: GraphicsProtocol
    reason: str = ""


def choose(mode: ImageMode, environment: Mapping[str, str] = os.environ) -> ImageSupport:
    """Return how to draw images, by the user's setting and the terminal.

    Must be called before the application runs: the terminal may have to be queried.
    """
    if mode == "off":
        return ImageSupport("none", "images are off in config.toml")
    if environment.get("TERM", "") in ("", "dumb", "linux") and mode == "auto":
        return ImageSupport("none", "this terminal cannot show pictures")
    if mode in ("kitty", "sixel"):
        if images_extra_installed():
            return ImageSupport(mode)
        return ImageSupport("cells", f"{mode} {NEEDS_EXTRA}")
    if environment.get("NO_COLOR") is not None:
        return ImageSupport("none", "pictures need colours, and NO_COLOR is set")
    if mode == "auto" and may_draw_pictures(environment) and images_extra_installed():
        return ImageSupport(detected_protocol())
    return ImageSupport("cells")


def may_draw_pictures(environment: Mapping[str, str]) -> bool:
    """Return True if the terminal is one that is worth the time to query.

    Inside tmux it is not: as it is set up by default, it passes no pictures on.
    """
    names = f"{environment.get('TERM', '')} {environment.get('TERM_PROGRAM', '')}".lower()
    known = any(name in names for name in GRAPHICAL_TERMINALS) or "KITTY_WINDOW_ID" in environment
    return known and not environment.get("TMUX")


def images_extra_installed() -> bool:
    try:
        import_module("textual_image.widget")
    except ImportError:
        return False
    return True


def detected_protocol() -> GraphicsProtocol:
    """Return what the terminal supports: textual-image queries it when it is imported."""
    renderable = import_module("textual_image.renderable")
    if renderable.Image is renderable.SixelImage:
        return "sixel"
    return "kitty" if renderable.Image is renderable.TGPImage else "cells"
