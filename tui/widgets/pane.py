"""A bordered, scrollable pane of lines made from the snapshot."""

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
    """Subclasses say what their lines are; a line that does not fit ends in an ellipsis."""

    TITLE: ClassVar[str] = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "scroll_down", "Down", show=False, id="pane.down"),
        Binding("k", "scroll_up", "Up", show=False, id="pane.up"),
        Binding("g", "scroll_home", "Top", show=False, id="pane.top"),
        Binding("G", "scroll_end", "End", show=False, id="pane.end"),
    ]

    snapshot: Snapshot | None = None
    drawn: tuple[object, ...] = ()

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
        width = self.scrollable_content_region.width
        if self.snapshot is None or not width:
            return
        lines = self.lines(self.snapshot, width)
        drawing = tuple((line.plain, tuple(line.spans)) for line in lines)
        if drawing != self.drawn:
            layout = len(drawing) != len(self.drawn)
            self.drawn = drawing
            self.query_one(Static).update(Content("\n").join(lines), layout=layout)

    def lines(self, snapshot: Snapshot, width: int) -> list[Content]:
        raise NotImplementedError
