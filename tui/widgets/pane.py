"""The base class of the dashboard's panes: bordered, scrollable lines made from the snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

if TYPE_CHECKING:
    from tui.viewmodel.snapshot import Snapshot


class Pane(VerticalScroll):
    """A pane whose lines a subclass makes in `lines`; those too long end in an ellipsis."""

    TITLE: ClassVar[str] = ""
    """The title in the border."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "scroll_down", "Down", show=False, id="pane.down"),
        Binding("k", "scroll_up", "Up", show=False, id="pane.up"),
        Binding("g", "scroll_home", "Top", show=False, id="pane.top"),
        Binding("G", "scroll_end", "End", show=False, id="pane.end"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.snapshot: Snapshot | None = None
        self.drawn_lines: tuple[object, ...] = ()
        """Texts and styles of the lines as they were drawn last."""

    def compose(self) -> ComposeResult:
        yield Static(markup=False)

    def on_mount(self) -> None:
        self.border_title = self.TITLE

    def on_resize(self) -> None:
        self.redraw()

    def show(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.redraw()

    def redraw(self) -> None:
        """Draw the lines if they differ from those that are drawn."""
        width = self.scrollable_content_region.width
        if self.snapshot is None or not width:
            return
        lines = self.lines(self.snapshot, width)
        line_texts = tuple((line.plain, tuple(line.spans)) for line in lines)
        if line_texts != self.drawn_lines:
            layout = len(line_texts) != len(self.drawn_lines)
            self.drawn_lines = line_texts
            self.query_one(Static).update(Content("\n").join(lines), layout=layout)

    def lines(self, snapshot: Snapshot, width: int) -> list[Content]:
        """Return the lines for a pane of `width` cells."""
        raise NotImplementedError
