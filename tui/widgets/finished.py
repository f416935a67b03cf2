"""The dashboard's pane of a project that is finished, in the place of its devices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual import on, work
from textual.content import Content
from textual.message import Message

from tui.formatting import content, text
from tui.viewmodel import finished, pages
from tui.widgets.pane import Pane

if TYPE_CHECKING:
    from engine.project.layout import Project
    from tui.viewmodel.pages import ProjectHistory
    from tui.viewmodel.snapshot import Snapshot

EXPORTS_SHOWN = 3
"""The number of newest exports that are listed."""


class FinishedPane(Pane):
    """What there is, what it took, the exports, and what to do next; seen once all is done."""

    TITLE = "Finished"

    @dataclass
    class HistoryRead(Message):
        """The history of the project was read."""

        history: ProjectHistory

    def __init__(self, project: Project) -> None:
        super().__init__()
        self.project = project
        self.history: ProjectHistory | None = None
        """None until it was read."""
        self.read_for: tuple[object, ...] = ()
        """The newest event and the captions for which it was read last."""
        self.display = False  # until a snapshot says that the project is finished

    def show(self, snapshot: Snapshot) -> None:
        self.display = snapshot.state == "finished"
        if not self.display:
            return
        changed = (snapshot.events[:1], snapshot.captioned)
        if changed != self.read_for:
            self.read_for = changed
            self.read_history()
        super().show(snapshot)

    @work(thread=True, group="history", exclusive=True, exit_on_error=False)
    def read_history(self) -> None:
        history = pages.read_project_history(self.project, EXPORTS_SHOWN)
        self.post_message(self.HistoryRead(history))

    @on(HistoryRead)
    def history_read(self, event: HistoryRead) -> None:
        event.stop()
        self.history = event.history
        self.redraw()

    def lines(self, snapshot: Snapshot, width: int) -> list[Content]:
        lines = [
            Content.assemble(
                content.state_label("FINISHED"), f"  {text.visible(finished.result_line(snapshot))}"
            )
        ]
        if missing := finished.missing_line(snapshot):
            lines.append(Content.styled(text.visible(missing), "$text-warning"))
        if self.history is None:
            return lines
        steps = "  ".join(finished.next_steps(snapshot, self.history))
        lines.append(Content.assemble(("next:  ", "bold"), steps))
        if worked := finished.work_line(snapshot, self.history):
            lines.append(Content(worked))
        for model in snapshot.models:
            lines.append(Content(text.visible(finished.model_line(model, self.history))))
        exports = list(finished.export_lines(snapshot, self.history)) or ["nothing exported yet"]
        lines += [Content(text.visible(line)) for line in exports]
        return lines
