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
from tui.terminal.graphics import Drawing

if TYPE_CHECKING:
    from PIL.Image import Image

    from tui.session import Session

CACHED = 24
CELL = (10, 20)
"""Pixels of a cell for which kitty and sixel pictures are made; the terminal scales the rest."""

LONGEST = 240
"""Cells of a reason why there is no picture."""

Drawn = list[Strip]


class Cells(Widget):
    """A picture of half blocks, two pixels a cell."""

    strips: Drawn = []  # noqa: RUF012 (replaced, never changed)

    def show(self, strips: Drawn) -> None:
        self.strips = strips
        self.refresh()

    def render_line(self, y: int) -> Strip:
        blank = Strip.blank(self.size.width, self.rich_style)
        if y >= len(self.strips):
            return blank
        return self.strips[y].adjust_cell_length(self.size.width, self.rich_style)


class Preview(Container):
    """The picture of a record: found, decoded and scaled in a thread; or why there is none."""

    @dataclass
    class Loaded(Message):
        image: str
        place: Size
        caption: str
        drawn: Drawn | Image | None

    def __init__(self, drawing: Drawing, id: str | None = None) -> None:
        super().__init__(id=id)
        self.drawing = drawing
        self.image: str | None = None
        self.cache: OrderedDict[tuple[str, Size], Preview.Loaded] = OrderedDict()

    def compose(self) -> Any:
        yield Static(id="why", markup=False)
        if self.drawing.protocol == "cells":
            yield Cells(id="picture")
        elif self.drawing.protocol != "none":
            name = {"kitty": "TGPImage", "sixel": "SixelImage"}[self.drawing.protocol]
            yield getattr(import_module("textual_image.widget"), name)(id="picture")

    def on_mount(self) -> None:
        self.border_title = "Image"
        if self.drawing.protocol == "none":
            self.say(f"no preview: {self.drawing.why}\n\no opens the file")

    def on_resize(self) -> None:
        if self.image is not None:
            self.show(self.image)

    def say(self, why: str) -> None:
        label = self.query_one("#why", Static)
        label.update(why)
        label.display = bool(why)
        for picture in self.query("#picture"):
            picture.display = not why

    @property
    def place(self) -> Size:
        return self.content_region.size

    def show(self, image: str | None) -> None:
        self.image = image
        if image is None or self.drawing.protocol == "none" or not self.display or not self.place:
            return
        known = self.cache.get((image, self.place))
        if known is not None:
            self.put(known)
        else:
            self.load(image, self.place)

    @work(thread=True, group="preview", exclusive=True, exit_on_error=False)
    def load(self, image: str, place: Size) -> None:
        from engine.images.image import ImageProblem, open_image
        from engine.operations.records import image_file

        app: Session = self.app  # type: ignore[assignment]
        if app.project is None:
            return
        drawn: Drawn | Image | None = None
        try:
            picture = open_image(image_file(app.project, image))
            caption = f"{picture.width}x{picture.height} {picture.mode}"
            if picture.image.format == "JPEG":  # decodes to about the size that is needed
                picture.image.draft("RGB", (place.width * CELL[0], place.height * CELL[1]))
            drawn = draw(picture.rgb(), place, self.drawing.protocol)
        except ImageProblem as problem:
            caption = f"{problem.kind}: {problem.detail}"
        self.post_message(self.Loaded(image, place, caption, drawn))

    @on(Loaded)
    def loaded(self, event: Loaded) -> None:
        event.stop()
        self.cache[event.image, event.place] = event
        if len(self.cache) > CACHED:
            self.cache.popitem(last=False)
        if event.image == self.image and event.place == self.place:
            self.put(event)

    def put(self, event: Loaded) -> None:
        if event.drawn is None:
            self.border_subtitle = ""
            self.say(text.clip(text.visible(event.caption), LONGEST))
            return
        self.border_subtitle = content.title(event.caption)
        self.say("")
        picture = self.query_one("#picture")
        if isinstance(picture, Cells):
            picture.show(event.drawn)  # type: ignore[arg-type]
        else:
            picture.image = event.drawn  # type: ignore[attr-defined]


def draw(image: Image, place: Size, protocol: str) -> Drawn | Image:
    """Scaled to fit; a cell is taken to be twice as high as wide."""
    across, down = (1, 2) if protocol == "cells" else CELL
    room = place.width * across, place.height * down
    scale = min(room[0] / image.width, room[1] / image.height)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    scaled = image.resize(size)
    return half_blocks(scaled) if protocol == "cells" else scaled


def half_blocks(image: Image) -> Drawn:
    """The upper pixel is the colour of a half block, the lower one its background."""
    width, height = image.size
    data = image.tobytes()
    rows = [data[y * width * 3 : (y + 1) * width * 3] for y in range(height)]
    strips = []
    for y in range(0, height, 2):
        upper, lower = rows[y], rows[y + 1] if y + 1 < height else None
        segments = []
        for x in range(0, width * 3, 3):
            over = triplet(upper, x)
            under = triplet(lower, x) if lower is not None else None
            segments.append(Segment("▀", Style(color=over, bgcolor=under)))
        strips.append(Strip(segments, width))
    return strips


def triplet(row: bytes, x: int) -> Color:
    return Color.from_triplet(ColorTriplet(row[x], row[x + 1], row[x + 2]))
