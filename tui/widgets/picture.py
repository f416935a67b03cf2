"""Opening an image of a record and scaling it to the cells that it is drawn in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from textual.geometry import Size

from engine.utils.errors import BadInput
from tui.terminal.graphics import GraphicsProtocol
from tui.widgets.half_blocks import HalfBlocks, half_blocks

if TYPE_CHECKING:
    from PIL.Image import Image

CELL_PIXELS = (10, 20)
"""Pixels of a cell, across and down, for which kitty and sixel pictures are made.

The terminal scales a picture to its own cells.
"""

ImageResolver = Callable[[str], str]
"""Returns the path of an image as its record names it; raises `ImageProblem`. Runs in a thread."""


class PictureQuery(NamedTuple):
    """A picture to load: an image as its record names it, and the room for it in cells."""

    image: str
    available: Size


@dataclass(frozen=True)
class LoadedPicture:
    """A picture that is scaled to its room, with the size and the mode of its file."""

    picture: HalfBlocks | Image
    caption: str


def read_picture(
    query: PictureQuery, resolve: ImageResolver, protocol: GraphicsProtocol
) -> LoadedPicture:
    """Open and scale a picture. Slow: called in a thread. Raises `BadInput`."""
    from engine.images.image import ImageProblem, open_image

    image, (width, height) = query
    try:
        opened = open_image(resolve(image))
        if opened.image.format == "JPEG":  # decodes to about the size that is needed
            opened.image.draft("RGB", (width * CELL_PIXELS[0], height * CELL_PIXELS[1]))
        rgb = opened.rgb()
    except ImageProblem as problem:
        raise BadInput(f"{problem.kind}: {problem.detail}") from problem
    caption = f"{opened.width}x{opened.height} {opened.mode}"
    return LoadedPicture(scale_picture(rgb, query.available, protocol), caption)


def scale_picture(image: Image, available: Size, protocol: GraphicsProtocol) -> HalfBlocks | Image:
    """Scale an image to fit `available` cells, each taken to be twice as high as wide."""
    across, down = (1, 2) if protocol == "cells" else CELL_PIXELS
    room = available.width * across, available.height * down
    scale = min(room[0] / image.width, room[1] / image.height)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    scaled = image.resize(size)
    return half_blocks(scaled) if protocol == "cells" else scaled
