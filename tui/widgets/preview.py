"""The preview of a record's image, drawn as half blocks or by the terminal's graphics protocol."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from rich.color import Color
from rich.color_triplet import ColorTriplet
from rich.segment import Segment
from rich.style import Style
from textual import on, work
from textual.containers import Container
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Static

from tui.formatting import content, text
from tui.terminal.graphics import ImageSupport

if TYPE_CHECKING:
    from PIL.Image import Image

    from engine.project.layout import Project

CACHED_PICTURES = 24
"""Pictures of the last records that are kept, so that going back shows them at once."""
CELL_PIXELS = (10, 20)
"""Pixels of a cell, across and down, for which kitty and sixel pictures are made.

The terminal scales a picture to its own cells.
"""
LONGEST_REASON = 240
"""Cells at most of a reason why there is no picture."""

HalfBlocks = list[Strip]
"""A picture as lines of half blocks, two pixels in each cell."""


class HalfBlockImage(Widget):
    """A widget that draws a picture as half blocks."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.strips: HalfBlocks = []

    def show(self, strips: HalfBlocks) -> None:
        self.strips = strips
        self.refresh()

    def render_line(self, y: int) -> Strip:
        blank = Strip.blank(self.size.width, self.rich_style)
        if y >= len(self.strips):
            return blank
        return self.strips[y].adjust_cell_length(self.size.width, self.rich_style)


class Preview(Container):
    """The picture of a record, which a thread opens and scales, or the reason why there is none."""

    @dataclass
    class ImageLoaded(Message):
        """An image was opened and scaled, or could not be opened."""

        image: str
        """The image as the record names it."""
        available: Size
        """The size in cells that it was scaled for."""
        caption: str
        """Its size and mode, or why it cannot be opened."""
        picture: HalfBlocks | Image | None

    def __init__(
        self, project: Project, image_support: ImageSupport, id: str | None = None
    ) -> None:
        super().__init__(id=id)
        self.project = project
        self.image_support = image_support
        self.image: str | None = None
        """The image that is shown or being loaded, as its record names it."""
        self.cache: OrderedDict[tuple[str, Size], Preview.ImageLoaded] = OrderedDict()

    def compose(self) -> Any:
        yield Static(id="why", markup=False)
        if self.image_support.protocol == "cells":
            yield HalfBlockImage(id="picture")
        elif self.image_support.protocol != "none":
            name = {"kitty": "TGPImage", "sixel": "SixelImage"}[self.image_support.protocol]
            yield getattr(import_module("textual_image.widget"), name)(id="picture")

    def on_mount(self) -> None:
        self.border_title = "Image"
        if self.image_support.protocol == "none":
            self.show_reason(f"no preview: {self.image_support.reason}\n\no opens the file")

    def on_resize(self) -> None:
        if self.image is not None:
            self.show(self.image)

    def show_reason(self, reason: str) -> None:
        """Show why there is no picture; with an empty text, show the picture."""
        label = self.query_one("#why", Static)
        label.update(reason)
        label.display = bool(reason)
        for picture in self.query("#picture"):
            picture.display = not reason

    @property
    def available(self) -> Size:
        """The size in cells that a picture can take."""
        return self.content_region.size

    def show(self, image: str | None) -> None:
        """Show an image, after loading it in a thread unless its picture is still cached."""
        self.image = image
        protocol = self.image_support.protocol
        if image is None or protocol == "none" or not self.display or not self.available:
            return
        cached = self.cache.get((image, self.available))
        if cached is not None:
            self.show_picture(cached)
        else:
            self.load(image, self.available)

    @work(thread=True, group="preview", exclusive=True, exit_on_error=False)
    def load(self, image: str, available: Size) -> None:
        from engine.images.image import ImageProblem, open_image
        from engine.operations.records import image_path

        picture: HalfBlocks | Image | None = None
        try:
            opened = open_image(image_path(self.project, image))
            caption = f"{opened.width}x{opened.height} {opened.mode}"
            if opened.image.format == "JPEG":  # decodes to about the size that is needed
                pixels = (available.width * CELL_PIXELS[0], available.height * CELL_PIXELS[1])
                opened.image.draft("RGB", pixels)
            picture = scale_picture(opened.rgb(), available, self.image_support.protocol)
        except ImageProblem as problem:
            caption = f"{problem.kind}: {problem.detail}"
        self.post_message(self.ImageLoaded(image, available, caption, picture))

    @on(ImageLoaded)
    def loaded(self, event: ImageLoaded) -> None:
        event.stop()
        self.cache[event.image, event.available] = event
        if len(self.cache) > CACHED_PICTURES:
            self.cache.popitem(last=False)
        if event.image == self.image and event.available == self.available:
            self.show_picture(event)

    def show_picture(self, event: ImageLoaded) -> None:
        """Show a loaded picture, or why there is none."""
        if event.picture is None:
            self.border_subtitle = ""
            self.show_reason(text.clip(text.visible(event.caption), LONGEST_REASON))
            return
        self.border_subtitle = content.title(event.caption)
        self.show_reason("")
        picture = self.query_one("#picture")
        if isinstance(picture, HalfBlockImage):
            picture.show(event.picture)  # type: ignore[arg-type]
        else:
            picture.image = event.picture  # type: ignore[attr-defined]


def scale_picture(image: Image, available: Size, protocol: str) -> HalfBlocks | Image:
    """Scale an image to fit `available` cells, each taken to be twice as high as wide."""
    across, down = (1, 2) if protocol == "cells" else CELL_PIXELS
    room = available.width * across, available.height * down
    scale = min(room[0] / image.width, room[1] / image.height)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    scaled = image.resize(size)
    return half_blocks(scaled) if protocol == "cells" else scaled


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
