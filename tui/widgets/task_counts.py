from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

from db.rows import STATE_WORDS
from tui.formatting import content, text
from tui.widgets.pane import Pane

if TYPE_CHECKING:
    from tui.viewmodel.snapshot import Snapshot


class Tasks(Pane):
    """Tasks (a shard for a model) by state."""

    TITLE = "Tasks"

    def lines(self, snapshot: Snapshot, width: int) -> list[Content]:
        lines = [
            Content.assemble(content.styled(word, 6), f"{state:<9}{text.number(count):>12}")
            for state, count in snapshot.tasks.items()
            for word in [STATE_WORDS[state]]
        ]
        shards = text.plural(snapshot.shards, "shard")
        images = text.plural(snapshot.records, "image")
        lines.append(Content.styled(f"{shards} of {images}", "$foreground-muted"))
        if snapshot.failed:
            failed = f"{text.plural(snapshot.failed, 'record')} failed"
            lines.append(Content(failed))
        if snapshot.project.paused and snapshot.project.pause_reason:
            reason = text.visible(snapshot.project.pause_reason)
            lines.append(Content.assemble(content.styled("PAUSED"), f" {reason}"))
        return lines
