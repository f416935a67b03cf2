from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.content import Content
from textual.widgets import Static

from tui.formatting import content, text
from tui.viewmodel import state_labels

if TYPE_CHECKING:
    from tui.viewmodel.snapshot import Snapshot

SCREENS = (
    ("dashboard", "Dash"),
    ("shards", "Shards"),
    ("samples", "Samples"),
    ("failures", "Failures"),
    ("logs", "Logs"),
)


class StatusBar(Static):
    """One line, the same on every screen: project, screens, and how the run goes."""

    def __init__(self, current: str) -> None:
        super().__init__(markup=False)
        self.current = current
        self.snapshot: Snapshot | None = None
        self.trouble: str | None = None

    def on_mount(self) -> None:
        self.redraw()

    def on_resize(self) -> None:
        self.redraw()

    def show(self, snapshot: Snapshot | None, trouble: str | None) -> None:
        self.snapshot, self.trouble = snapshot, trouble
        self.redraw()

    def redraw(self) -> None:
        wide = self.size.width >= 110
        right = self.right(wide)
        room = self.size.width - cell_len(right.plain) - 2
        left = self.left(wide, room)
        blank = " " * max(1, room - cell_len(left.plain))
        self.update(Content.assemble(" ", left, blank, right, " "), layout=False)

    def left(self, wide: bool, room: int) -> Content:
        labels = [self.label(n, *screen, wide) for n, screen in enumerate(SCREENS, 1)]
        screens = Content(" ").join(labels)
        name = self.snapshot.name if self.snapshot else ""
        fixed = len("mllmaug  ") + cell_len(screens.plain) + 2
        name = text.clip(text.visible(name), max(0, room - fixed))
        return Content.assemble(("mllmaug", "bold $text-primary"), f" {name}  ", screens)

    def label(self, number: int, mode: str, title: str, wide: bool) -> Content:
        here = mode == self.current
        words = f"{number} {title}" if wide or here else f"{number}"
        shown = f"\\[{words}]" if here else words
        style = "bold " if here else ""
        return Content.from_markup(f"[{style}@click=app.switch_mode('{mode}')]{shown}[/]")

    def right(self, wide: bool) -> Content:
        if self.trouble is not None:
            return Content.styled(
                f"FAIL {text.clip(text.visible(self.trouble), 50)}", "$text-error"
            )
        seen = self.snapshot
        if seen is None:
            return Content.styled("opening ...", "$foreground-muted")
        busy = sum(worker.row.state == "captioning" for worker in seen.workers)
        word = content.styled(state_labels.project(seen))
        workers = f" {busy}/{len(seen.devices)}" if seen.workers else ""
        parts = [text.percent(seen.share)]
        if seen.workers:
            parts.insert(0, f"{text.rate(seen.rate)}/s")
        if seen.eta is not None:
            parts.append(f"{'ETA ' if wide else ''}{text.duration(seen.eta)}")
        if seen.failed:
            parts.append(f"{text.number(seen.failed)} fail")
        return Content.assemble(
            word, workers, "  " if wide else " ", ("  " if wide else " ").join(parts)
        )
