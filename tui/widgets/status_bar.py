"""The status bar at the top of every screen of a project."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.content import Content
from textual.widgets import Static

from tui.formatting import content, text
from tui.viewmodel import health, state_labels
from tui.viewmodel.failed_count import image_count, images_failed
from tui.viewmodel.killed import killed_time

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
NAMED = 76
"""A bar of at least so many cells shows the titles of all screens."""
SPACIOUS = 130
"""A bar of at least so many cells has room for more blanks in the progress of the run."""
SHORTEST_NAME = 4
"""Cells of the project's name below which the bar leaves it out."""
ERROR_CELLS = 50
"""Cells of an error at most."""


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
        width = self.size.width - 2  # a blank at each end
        screens = self.screens(named=width >= NAMED)
        blank = "  " if width >= SPACIOUS else " "
        progress = self.progress(width - screens.cell_length - 2, blank)
        room = width - screens.cell_length - progress.cell_length - 2
        name = self.name_text(room)
        gap = " " * (room - name.cell_length + 2)
        self.update(Content.assemble(" ", name, screens, gap, progress, " "), layout=False)

    def name_text(self, room: int) -> Content:
        """Return the names of the program and of the project in at most `room` cells."""
        brand, name = "mllmaug ", text.visible(self.snapshot.name) if self.snapshot else ""
        space = room - len("  ")
        if space < SHORTEST_NAME:
            return Content("")
        if space < len(brand) + min(cell_len(name), SHORTEST_NAME):
            return Content(f"{text.clip(name, space)}  ")
        name = text.clip(name, space - len(brand))
        return Content.assemble((brand, "bold $text-primary"), f"{name}  ")

    def screens(self, named: bool) -> Content:
        """Return the six screens, without titles unless `named`."""
        labels = [self.screen_label(n, *screen, named) for n, screen in enumerate(SCREENS, 1)]
        return Content(" ").join(labels)

    def screen_label(self, number: int, mode: str, title: str, named: bool) -> Content:
        """Return a screen's number and, where there is room, title; a click opens the screen."""
        is_current = mode == self.current
        title_text = f"{number} {title}" if named or is_current else f"{number}"
        shown = f"\\[{title_text}]" if is_current else title_text
        style = "bold " if is_current else ""
        return Content.from_markup(f"[{style}@click=app.switch_mode('{mode}')]{shown}[/]")

    def progress(self, room: int, blank: str) -> Content:
        """Return the progress of the run in at most `room` cells; what matters less is left out."""
        if self.error is not None:
            error = text.clip(text.visible(self.error), min(ERROR_CELLS, room - len("FAIL ")))
            return Content.styled(f"FAIL {error}", "$text-error")
        if self.snapshot is None:
            return Content.styled("opening ...", "$foreground-muted")
        shown = progress_parts(self.snapshot, spacious=len(blank) > 1)
        while shown:
            line = Content(blank).join(content for _, content in shown)
            if line.cell_length <= room:
                return line
            shown.remove(max(shown, key=lambda part: part[0]))
        return Content("")


def progress_parts(snapshot: Snapshot, spacious: bool) -> list[tuple[int, Content]]:
    """Return state, busy workers, speed, share, remaining time and failed images of the run.

    Each comes after its rank: the part of the highest rank is left out first.
    """
    label = state_labels.project_label(snapshot)
    state = content.state_label(label)
    if label == "FINISHED" and health.is_sick(snapshot):
        state = Content.styled(label, "$text-warning")
    if when := killed_time(snapshot):
        state = Content.assemble(state, f" {when}")
    parts = [(0, state)]
    if snapshot.workers:
        busy = sum(worker.row.state == "captioning" for worker in snapshot.workers)
        parts.append((4, Content(f"{busy}/{len(snapshot.devices)}")))
    if snapshot.elsewhere is not None:
        parts.append((5, Content("elsewhere")))
    if snapshot.workers:
        parts.append((6, Content(f"{text.rate(snapshot.rate)}/s")))
    parts.append((1, Content(text.percent(snapshot.share))))
    if snapshot.eta is not None:
        parts.append((2, Content(f"{'ETA ' if spacious else ''}{text.duration(snapshot.eta)}")))
    if snapshot.failed:
        failed = snapshot.failed_images
        line = images_failed(failed) if spacious else f"{image_count(failed)} fail"
        parts.append((3, Content(line)))
    return parts
