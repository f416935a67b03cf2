"""The dashboard's pane of task counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

from tui.formatting import content, text
from tui.viewmodel.failed_count import failed_line
from tui.viewmodel.state_labels import TASK_LABELS
from tui.widgets.pane import Pane

if TYPE_CHECKING:
    from tui.viewmodel.snapshot import Snapshot


class TaskCountsPane(Pane):
    """The number of tasks (a shard for a model) in each state, and why the run is paused."""

    TITLE = "Tasks"

    def lines(self, snapshot: Snapshot, width: int) -> list[Content]:
        lines = [
            Content.assemble(content.state_label(label, 6), f"{state:<9}{text.number(count):>12}")
            for state, count in snapshot.tasks.items()
            for label in [TASK_LABELS[state]]
        ]
        shards = text.plural(snapshot.shards, "shard")
        images = text.plural(snapshot.records, "image")
        failed = failed_line(snapshot)
        lines.append(Content.styled(f"{shards} of {images}", "$foreground-muted"))
        if failed:
            lines.append(Content(failed))
        if snapshot.project.paused and snapshot.project.pause_reason:
            reason = text.visible(snapshot.project.pause_reason)
            lines.append(Content.assemble(content.state_label("PAUSED"), f" {reason}"))
        return lines
