"""How pictures get onto the terminal: kitty's or sixel pictures, half cells, or not at all."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Literal

from tui.config.settings import Images

Protocol = Literal["kitty", "sixel", "cells", "none"]

GRAPHICAL = (
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
EXTRA = "needs the images extra: pip install 'mllmaug-tui[images]'"


@dataclass(frozen=True)
class Drawing:
    """`why` says what stands in the way of pictures, or of better ones."""

    protocol: Protocol
    why: str = ""


def choose(wanted: Images, environment: Mapping[str, str] = os.environ) -> Drawing:
    """Must be called before the application runs: it may have to ask the terminal."""
    if wanted == "off":
        return Drawing("none", "images are off in config.toml")
    if environment.get("TERM", "") in ("", "dumb", "linux") and wanted == "auto":
        return Drawing("none", "this terminal cannot show pictures")
    if wanted in ("kitty", "sixel"):
        return Drawing(wanted) if extra_there() else Drawing("cells", f"{wanted} {EXTRA}")
    if environment.get("NO_COLOR") is not None:
        return Drawing("none", "pictures need colours, and NO_COLOR is set")
    if wanted == "auto" and graphical(environment) and extra_there():
        return Drawing(asked())
    return Drawing("cells")


def graphical(environment: Mapping[str, str]) -> bool:
    """Whether it is worth the time to ask; tmux passes no pictures on as it is set up."""
    named = f"{environment.get('TERM', '')} {environment.get('TERM_PROGRAM', '')}".lower()
    known = any(name in named for name in GRAPHICAL) or "KITTY_WINDOW_ID" in environment
    return known and not environment.get("TMUX")


def extra_there() -> bool:
    try:
        import_module("textual_image.widget")
    except ImportError:
        return False
    return True


def asked() -> Protocol:
    """What the terminal answered when textual-image was imported."""
    renderable = import_module("textual_image.renderable")
    if renderable.Image is renderable.SixelImage:
        return "sixel"
    return "kitty" if renderable.Image is renderable.TGPImage else "cells"
