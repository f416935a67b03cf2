"""The dashboard's panes of the latest events and of the newest caption."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

from tui.formatting import content, text
from tui.viewmodel import state_labels
from tui.widgets.pane import Pane

if TYPE_CHECKING:
    from db.rows import EventRow
    from tui.session.session import Session
    from tui.viewmodel.snapshot import Snapshot


class EventsPane(Pane):
    """One line for each of the latest events, newest first."""

    TITLE = "Events"

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session

    def lines(self, snapshot: Snapshot, width: int) -> list[Content]:
        if not snapshot.events:
            return [Content.styled("nothing happened yet", "$foreground-muted")]
        lines = [event_line(event) for event in snapshot.events]
        if self.session.since_you_left is not None:
            lines.insert(0, Content.styled(self.session.since_you_left, "bold $text-primary"))
        return lines


def event_line(event: EventRow) -> Content:
    subjects = [
        event.device,
        event.model,
        None if event.shard is None else f"shard {event.shard:05}",
    ]
    where = "  ".join(text.visible(part) for part in subjects if part)
    return Content.assemble(
        (text.clock(event.created), "$foreground-muted"),
        "  ",
        content.state_label(state_labels.LEVEL_LABELS[event.level], 5),
        f"{where}{'  ' if where else ''}{text.visible(event.text)}",
    )


class LatestSamplePane(Pane):
    """The newest caption, with `//` around what shearing removed."""

    TITLE = "Recent captions"

    def lines(self, snapshot: Snapshot, width: int) -> list[Content]:
        sample = snapshot.latest_sample
        if sample is None:
            return [Content.styled("no caption yet", "$foreground-muted")]
        model = text.visible(snapshot.model_name(sample.model_id) or "?")
        caption = content.kept_and_cut(sample.raw, sample.sheared, sample.start, sample.end)
        if self.screen.has_class("-short"):
            return [Content.assemble((f"{model}  ", "$foreground-muted"), caption)]
        record = f"{sample.shard:05}  {text.visible(sample.image)}  {model}"
        tokens = f"{text.plural(sample.tokens, 'token')}, " if sample.tokens else ""
        end = f"  {tokens}{text.visible(sample.finish)}"
        return [Content.styled(record + end, "$foreground-muted"), caption]
