"""The status bar at the top of every screen of a project."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.content import Content
from textual.widgets import Static

from tui.formatting import content, text
from tui.viewmodel import health, state_labels

if TYPE_CHECKING:
    from tui.viewmodel.snapshot import Snapshot

SCREENS = (
    ("dashboard", "Dash"),
    ("shards", "Shards"),
    ("samples", "Samples"),
    ("failures", "Failures"),
    ("logs", "Logs"),
    ("quality", "Quality"),
)
"""The application's modes and what the bar calls them; their keys are 1 to 6."""
WIDE = 110
"""A bar of at least so many cells shows the titles of all screens."""
SPACIOUS = 130
"""A bar of at least so many cells has room for more blanks in the progress of the run."""


class StatusBar(Static):
    """One line with the project's name, the six screens and the progress of the run."""

    def __init__(self, current: str) -> None:
        super().__init__(markup=False)
        self.current = current
        """The mode of the screen that the bar is on."""
        self.snapshot: Snapshot | None = None
        self.error: str | None = None
        """Why the newest snapshot could not be read."""

    def on_mount(self) -> None:
        self.redraw()

    def on_resize(self) -> None:
        self.redraw()

    def show(self, snapshot: Snapshot | None, error: str | None) -> None:
        self.snapshot, self.error = snapshot, error
        self.redraw()

    def redraw(self) -> None:
        wide = self.size.width >= WIDE
        right_text = self.right_text(spacious=self.size.width >= SPACIOUS)
        room = self.size.width - cell_len(right_text.plain) - 2
        left_text = self.left_text(wide, room)
        blank = " " * max(1, room - cell_len(left_text.plain))
        self.update(Content.assemble(" ", left_text, blank, right_text, " "), layout=False)

    def left_text(self, wide: bool, room: int) -> Content:
        """Return the project's name and the screens in at most `room` cells."""
        labels = [self.screen_label(n, *screen, wide) for n, screen in enumerate(SCREENS, 1)]
        screens = Content(" ").join(labels)
        name = self.snapshot.name if self.snapshot else ""
        fixed = len("mllmaug  ") + cell_len(screens.plain) + 2
        name = text.clip(text.visible(name), max(0, room - fixed))
        return Content.assemble(("mllmaug", "bold $text-primary"), f" {name}  ", screens)

    def screen_label(self, number: int, mode: str, title: str, wide: bool) -> Content:
        """Return a screen's number and, where there is room, title; a click opens the screen."""
        is_current = mode == self.current
        title_text = f"{number} {title}" if wide or is_current else f"{number}"
        shown = f"\\[{title_text}]" if is_current else title_text
        style = "bold " if is_current else ""
        return Content.from_markup(f"[{style}@click=app.switch_mode('{mode}')]{shown}[/]")

    def right_text(self, spacious: bool) -> Content:
        """Return state, busy workers, speed, share, remaining time and failures of the run."""
        if self.error is not None:
            return Content.styled(f"FAIL {text.clip(text.visible(self.error), 50)}", "$text-error")
        snapshot = self.snapshot
        if snapshot is None:
            return Content.styled("opening ...", "$foreground-muted")
        busy = sum(worker.row.state == "captioning" for worker in snapshot.workers)
        label = state_labels.project_label(snapshot)
        state = content.state_label(label)
        if label == "FINISHED" and health.is_sick(snapshot):
            state = Content.styled(label, "$text-warning")
        workers = f" {busy}/{len(snapshot.devices)}" if snapshot.workers else ""
        workers += " elsewhere" * (snapshot.elsewhere is not None)
        parts = [text.percent(snapshot.share)]
        if snapshot.workers:
            parts.insert(0, f"{text.rate(snapshot.rate)}/s")
        if snapshot.eta is not None:
            parts.append(f"{'ETA ' if spacious else ''}{text.duration(snapshot.eta)}")
        if snapshot.failed:
            parts.append(f"{text.number(snapshot.failed)} fail")
        return Content.assemble(
            state, workers, "  " if spacious else " ", ("  " if spacious else " ").join(parts)
        )
