from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from tui import text
from tui.commands import Commands
from tui.screens.run import RunScreen
from tui.widgets.sample_table import SampleTable
from tui.widgets.table import Table

if TYPE_CHECKING:
    from db.rows import SampleRow
    from tui.snapshot import Snapshot

SHOWN = 200


@dataclass
class SamplesRead(Message):
    model_id: int | None
    rows: tuple[SampleRow, ...]


@dataclass
class OthersRead(Message):
    sample: SampleRow
    rows: tuple[SampleRow, ...]


class SamplesCommands(Commands):
    topic = "samples"


class Samples(RunScreen):
    """What the models say: raw and sheared side by side."""

    MODE = "samples"
    HELP = "Recent captions. Text between // and // was cut by shearing and is not exported."
    CSS_PATH = "samples.tcss"
    COMMANDS: ClassVar[set[Any]] = {SamplesCommands}
    AUTO_FOCUS = "SampleTable"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "l", "live", "Live", tooltip="Follow the newest caption, or stay", id="samples.live"
        ),
        Binding("m", "model", "Model", tooltip="Show the next model only", id="samples.model"),
    ]

    live = True
    model_id: int | None = None
    newest: SampleRow | None = None
    reading = False
    sample: SampleRow | None = None
    shown = Content("")

    def body(self) -> Iterable[Widget]:
        yield Static(id="mode", markup=False)
        yield SampleTable(self.model_name, id="samples")
        with VerticalScroll(classes="detail", can_focus=True) as detail:
            detail.border_title = "Captions"
            yield Static("no caption yet", id="captions", markup=False)

    def on_mount(self) -> None:
        self.table.border_title = "Recent captions"
        self.say_mode()

    @property
    def table(self) -> SampleTable:
        return self.query_one(SampleTable)

    def model_name(self, model_id: int) -> str:
        snapshot = self.main.snapshot
        return (snapshot.model_name(model_id) if snapshot else None) or "?"

    def show(self, snapshot: Snapshot) -> None:
        if snapshot.sample != self.newest:
            self.newest = snapshot.sample
            self.load()
        self.say_mode()

    # The list

    def load(self) -> None:
        if not self.reading and self.main.project is not None:
            self.reading = True
            self.read_samples(self.model_id)

    @work(thread=True, group="samples", exit_on_error=False)
    def read_samples(self, model_id: int | None) -> None:
        from db import progress
        from db.connect import reading

        assert self.main.project is not None  # noqa: S101
        try:
            with reading(self.main.project.database) as connection:
                rows = progress.samples(connection, SHOWN, model_id)
            self.post_message(SamplesRead(model_id, rows))
        finally:
            self.reading = False

    @on(SamplesRead)
    def samples_read(self, event: SamplesRead) -> None:
        if event.model_id != self.model_id:
            self.load()
            return
        if self.live:
            self.table.cursor = 0
        self.table.set_rows(event.rows, 0, len(event.rows), follow=not self.live)

    def action_live(self) -> None:
        self.live = not self.live
        if self.live:
            self.table.cursor = 0
        self.say_mode()

    def action_model(self) -> None:
        if self.main.snapshot is None:
            return
        models = [None, *(model.row.id for model in self.main.snapshot.models)]
        self.model_id = models[(models.index(self.model_id) + 1) % len(models)]
        self.say_mode()
        self.load()

    def say_mode(self) -> None:
        model = "all models" if self.model_id is None else self.model_name(self.model_id)
        live = "live: the newest is shown" if self.live else "live is off: the list stays"
        self.query_one("#mode", Static).update(
            f"{text.visible(model)} (m)   {live} (l)   // cut by shearing //"
        )

    def why_not(self, action: str) -> str | None:
        if action == "open" and self.table.current is None:
            return "there is no caption yet"
        return None

    # The captions of one record

    @on(Table.Moved)
    def moved(self) -> None:
        sample = self.table.current
        if self.table.cursor and self.live:
            self.live = False
            self.say_mode()
        if sample is not None and sample != self.sample:
            self.sample = sample
            self.draw(sample, (sample,))
            self.read_others(sample)

    @work(thread=True, group="others", exit_on_error=False)
    def read_others(self, sample: SampleRow) -> None:
        from db import progress
        from db.connect import reading

        assert self.main.project is not None  # noqa: S101
        with reading(self.main.project.database) as connection:
            rows = progress.samples_of(connection, sample.shard, sample.i)
        self.post_message(OthersRead(sample, rows))

    @on(OthersRead)
    def others_read(self, event: OthersRead) -> None:
        if event.sample == self.sample:
            newest = {row.model_id: row for row in reversed(event.rows)}
            newest[event.sample.model_id] = event.sample
            self.draw(event.sample, tuple(newest[model] for model in sorted(newest)))

    def draw(self, sample: SampleRow, rows: tuple[SampleRow, ...]) -> None:
        self.shown = self.captions(sample, rows)
        self.query_one("#captions", Static).update(self.shown)

    @on(Table.Opened)
    def opened(self) -> None:
        from tui.screens.details import Details

        if self.sample is not None:
            title = f"Record {self.sample.shard:05}/{self.sample.i}"
            self.app.push_screen(Details(title, self.shown))

    def captions(self, sample: SampleRow, rows: tuple[SampleRow, ...]) -> Content:
        parts = [
            Content.assemble(("image     ", "$foreground-muted"), text.visible(sample.image)),
            Content.assemble(("original  ", "$foreground-muted"), text.visible(sample.original)),
        ]
        for row in rows:
            here = ">" if row.model_id == sample.model_id else " "
            name = text.visible(self.model_name(row.model_id))
            end = f"{text.plural(row.tokens, 'token')}, {text.visible(row.finish)}"
            parts += [
                Content(""),
                Content.assemble((f"{here} {name}", "bold"), (f"  {end}", "$foreground-muted")),
                Content.assemble(("  raw     ", "$foreground-muted"), text.kept_and_cut(row)),
                Content.assemble(("  sheared ", "$foreground-muted"), sheared(row)),
            ]
        return Content("\n").join(parts)


def sheared(row: SampleRow) -> str:
    return text.visible(row.sheared) or "(empty: not exported)"
