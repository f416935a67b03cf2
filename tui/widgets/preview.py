"""The preview of an image, drawn as half blocks or by the terminal's graphics protocol."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from importlib import import_module
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.message import Message
from textual.screen import Screen, ScreenResultType
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Static

from tui.formatting import content, text
from tui.terminal.graphics import ImageSupport
from tui.threads.page_loader import PageLoader
from tui.widgets.half_blocks import HalfBlockImage
from tui.widgets.picture import ImageResolver, LoadedPicture, PictureQuery, read_picture

CACHED_CELLS = 60_000
"""Cells that all cached pictures may cover together, some 30 MB.

Going back to a record then shows its picture at once.
"""
LONGEST_REASON = 240
"""Cells at most of a reason why there is no picture."""
SLOW_SECONDS = 0.3
"""Seconds after which the picture before makes way for a line that says what is being read."""


class Preview(Container, can_focus=True):
    """The picture of an image, which a thread opens and scales, or the reason why there is none.

    One picture is read at a time, and drawn again only when it is another one.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "enter,Z",
            "whole_screen",
            "Whole screen",
            show=False,
            tooltip="On the whole screen",
            id="preview.whole_screen",
        ),
        Binding("down,right,j", "step(1)", "Next", show=False, id="preview.next"),
        Binding("up,left,k", "step(-1)", "Previous", show=False, id="preview.previous"),
    ]

    class Enlarged(Message):
        """A person asked for the picture on the whole screen, or in its place again."""

    @dataclass
    class Stepped(Message):
        """A person asked for the picture `by` places further."""

        by: int

    def __init__(
        self, resolve: ImageResolver, image_support: ImageSupport, id: str | None = None
    ) -> None:
        super().__init__(id=id)
        self.image_support = image_support
        self.resolve = resolve
        self.wanted: PictureQuery | None = None
        """The picture to show; None: a reason why there is none."""
        self.image: str | None = None
        """The image of that picture, as its record names it."""
        self.cache: OrderedDict[PictureQuery, LoadedPicture] = OrderedDict()
        self.pictures = PageLoader(self, self.read, self.loaded, self.show_failure)
        self.slow_timer: Timer | None = None
        """Shows what is being read once that takes long."""

    def compose(self) -> ComposeResult:
        yield Static(id="why", markup=False)
        if self.image_support.protocol == "cells":
            yield HalfBlockImage(id="picture")
        elif self.image_support.protocol != "none":
            name = {"kitty": "TGPImage", "sixel": "SixelImage"}[self.image_support.protocol]
            yield getattr(import_module("textual_image.widget"), name)(id="picture")

    def on_mount(self) -> None:
        self.border_title = "Image"

    def on_resize(self) -> None:
        if self.image is not None:
            self.show(self.image)

    def action_whole_screen(self) -> None:
        self.post_message(self.Enlarged())

    def action_step(self, by: int) -> None:
        self.post_message(self.Stepped(by))

    # What is shown

    def show(self, image: str) -> None:
        """Show an image, after reading it in a thread unless its picture is still cached."""
        self.image = image
        available = self.content_region.size
        if self.image_support.protocol == "none":
            self.show_reason(f"no preview: {self.image_support.reason}")
        if self.image_support.protocol == "none" or not self.display or not available:
            return
        query = PictureQuery(image, available)
        if query == self.wanted:
            return
        self.wanted = query
        if query in self.cache:
            self.show_picture(self.cache[query])
        else:
            self.pictures.load(query)
            self.slow_timer = self.set_timer(SLOW_SECONDS, lambda: self.show_reading(query))

    def show_no_image(self, reason: str) -> None:
        """Show why there is no image to draw."""
        self.image = self.wanted = None
        self.show_reason(reason)

    def show_reading(self, query: PictureQuery) -> None:
        """Show that the picture of a query is being read, if it is the wanted one and not there."""
        if query == self.wanted and self.pictures.reading:
            self.show_reason(f"reading {query.image} ...")

    def show_failure(self, query: PictureQuery, reason: str) -> None:
        if query == self.wanted:
            self.show_reason(reason)

    def show_reason(self, reason: str) -> None:
        """Show a text in the place of the picture; with an empty text, show the picture."""
        # With the picture and not before it, since the pane draws both again for a new title.
        self.border_title = "Image" if self.image is None else content.title(self.image)
        label = self.query_one("#why", Static)
        label.update(text.clip(text.visible(reason), LONGEST_REASON))
        label.display = bool(reason)
        if reason:
            self.border_subtitle = ""
        for picture in self.query("#picture"):
            picture.display = not reason

    def show_picture(self, loaded: LoadedPicture) -> None:
        self.border_subtitle = content.title(loaded.caption)
        self.show_reason("")
        picture = self.query_one("#picture")
        if isinstance(picture, HalfBlockImage):
            picture.show(loaded.picture)  # type: ignore[arg-type]
        else:
            picture.image = loaded.picture  # type: ignore[attr-defined]

    # Reading

    def read(self, query: PictureQuery) -> LoadedPicture:
        return read_picture(query, self.resolve, self.image_support.protocol)

    def loaded(self, query: PictureQuery, picture: LoadedPicture) -> None:
        self.cache[query] = picture
        while sum(each.available.area for each in self.cache) > CACHED_CELLS:
            self.cache.popitem(last=False)
        if query == self.wanted:
            self.show_picture(picture)


class PreviewScreen(Screen[ScreenResultType]):
    """A screen with a preview, which `action_enlarge` shows on the whole screen and puts back."""

    focused_before: Widget | None = None
    """What had the focus before the preview was enlarged."""

    def action_enlarge(self) -> None:
        preview = self.query_one(Preview)
        if self.maximized is preview:
            self.minimize()
            return
        self.focused_before = self.focused
        preview.focus()
        self.maximized = preview

    def watch_maximized(self, before: Widget | None, now: Widget | None) -> None:
        if isinstance(before, Preview) and now is None and self.focused_before is not None:
            self.focused_before.focus()

    @on(Preview.Enlarged)
    def preview_enlarged(self) -> None:
        self.action_enlarge()
