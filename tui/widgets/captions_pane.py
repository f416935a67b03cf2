"""The pane of the Samples screen with the captions of one record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual import on, work
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from tui.formatting import captions, text
from tui.formatting.text import describe_error
from tui.widgets.tables.record_table import RecordRow

if TYPE_CHECKING:
    from engine.operations.records import SampledCaption, SampledImage
    from engine.project.layout import Project

VIEW_LABELS = {"cut": "raw with cuts", "sheared": "sheared", "both": "raw and sheared"}
"""The label of each view of a caption."""


class CaptionsPane(VerticalScroll, can_focus=True):
    """What every model says of a record, which a thread reads, or why it cannot be read."""

    class Drawn(Message):
        """Other captions are shown, or the same in another way."""

    @dataclass
    class RecordRead(Message):
        """The captions of a record were read; `image` is None if that failed, as `error` says."""

        row: RecordRow
        image: SampledImage | None
        error: str = "this record is not in its shard file any more"

    def __init__(self, project: Project, models: Callable[[], Sequence[str]]) -> None:
        super().__init__(classes="detail")
        self.project = project
        self.models = models
        """Returns the names of the models that write captions."""
        self.chosen_first = False
        """True if the chosen model's caption stands before the others."""
        self.row: RecordRow | None = None
        """The record whose captions are shown or being read."""
        self.image: SampledImage | None = None
        """The captions of `row`; None until they are read, or if they cannot be read."""
        self.image_error = ""
        """Why there are no captions of `row`."""
        self.model: str | None = None
        """The name of the model that `diff` compares the others with; None is the first one."""
        self.view_index = 0
        """The index of the view of a caption in `captions.CAPTION_VIEWS`."""
        self.diff = False
        """True if words that differ from the chosen model's caption are marked."""
        self.shown = Content("")
        """The text of the pane."""

    def compose(self) -> ComposeResult:
        yield Static("no caption yet", id="captions", markup=False)

    def on_mount(self) -> None:
        self.border_title = "Captions"

    @property
    def view_label(self) -> str:
        """How captions are shown."""
        return VIEW_LABELS[captions.CAPTION_VIEWS[self.view_index]]

    @property
    def chosen_caption(self) -> SampledCaption | None:
        """What the chosen model said of the record, or the first one that said something."""
        return chosen_caption(self.image, self.model)

    @work(thread=True, group="record", exclusive=True, exit_on_error=False)
    def read(self, row: RecordRow) -> None:
        """Read the captions of a record."""
        from engine.operations.records import read_record

        try:
            self.post_message(self.RecordRead(row, read_record(self.project, row.shard, row.i)))
        except (OSError, ValueError, KeyError) as error:
            reason = f"cannot be read: {describe_error(error)}"
            self.post_message(self.RecordRead(row, None, reason))

    @on(RecordRead)
    def record_read(self, event: RecordRead) -> None:
        event.stop()
        if event.row == self.row:
            self.image, self.image_error = event.image, event.error
            self.draw()

    def draw(self) -> None:
        """Show the captions of the record under the cursor, or why there are none."""
        if self.row is None:
            return
        if self.image is None:
            self.shown = Content(text.visible(self.image_error))
        else:
            view, models = captions.CAPTION_VIEWS[self.view_index], self.models()
            if self.chosen_first:
                models = sorted(models, key=lambda name: name != self.model)
            self.shown = captions.captions_content(self.image, models, view, self.model, self.diff)
        self.query_one("#captions", Static).update(self.shown)
        self.post_message(self.Drawn())

    def clear(self, reason: str) -> None:
        """Show no record, but why there is none."""
        self.row = self.image = None
        self.shown = Content(reason)
        self.query_one("#captions", Static).update(self.shown)
        self.post_message(self.Drawn())

    def next_model(self) -> None:
        """Choose the model after the chosen one."""
        models = self.models()
        if models:
            index = models.index(self.model) if self.model in models else 0
            self.model = models[(index + 1) % len(models)]
        self.draw()

    def next_view(self) -> None:
        """Show captions in the next view."""
        self.view_index = (self.view_index + 1) % len(captions.CAPTION_VIEWS)
        self.draw()

    def toggle_diff(self) -> None:
        """Mark the words that differ, or no longer."""
        self.diff = not self.diff
        self.draw()

    def text_to_copy(self, whole: bool) -> str | None:
        """Return the chosen model's sheared caption, or with `whole` image and text of the pane."""
        if whole:
            return f"{self.image.image}\n{self.shown.plain}" if self.image else None
        caption = self.chosen_caption
        return None if caption is None else caption.sheared


def chosen_caption(image: SampledImage | None, model: str | None) -> SampledCaption | None:
    """Return what a model said of a record, or the first one that said something."""
    by_model = {each.model: each for each in image.captions} if image else {}
    return by_model.get(model or "") or next(iter(by_model.values()), None)
