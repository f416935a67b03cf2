"""Pictures drawn as half blocks: two pixels in each character cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.color import Color
from rich.color_triplet import ColorTriplet
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

if TYPE_CHECKING:
    from PIL.Image import Image

HalfBlocks = list[Strip]
"""A picture as lines of half blocks, two pixels in each cell."""


class HalfBlockImage(Widget):
    """A widget that draws a picture as half blocks, in the middle of its room."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.strips: HalfBlocks = []

    def show(self, strips: HalfBlocks) -> None:
        self.strips = strips
        self.refresh()

    def render_line(self, y: int) -> Strip:
        width, height = self.size
        line = y - max(0, (height - len(self.strips)) // 2)
        if not 0 <= line < len(self.strips):
            return Strip.blank(width, self.rich_style)
        strip = self.strips[line]
        left = Strip.blank(max(0, (width - strip.cell_length) // 2), self.rich_style)
        return Strip.join([left, strip]).adjust_cell_length(width, self.rich_style)


def half_blocks(image: Image) -> HalfBlocks:
    """Return an RGB image as half blocks.

    The upper of a cell's two pixels is the colour of the half block, the lower its background.
    """
    width, height = image.size
    data = image.tobytes()
    rows = [data[y * width * 3 : (y + 1) * width * 3] for y in range(height)]
    strips = []
    for y in range(0, height, 2):
        upper, lower = rows[y], rows[y + 1] if y + 1 < height else None
        segments = []
        for x in range(0, width * 3, 3):
            over = pixel_colour(upper, x)
            under = pixel_colour(lower, x) if lower is not None else None
            segments.append(Segment("▀", Style(color=over, bgcolor=under)))
        strips.append(Strip(segments, width))
    return strips


def pixel_colour(row: bytes, x: int) -> Color:
    return Color.from_triplet(ColorTriplet(row[x], row[x + 1], row[x + 2]))
