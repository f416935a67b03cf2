from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, ProgressBar, Static

from engine.errors import BadInput, Refused
from tui import actions, text
from tui.app import describe
from tui.widgets.path_complete import PathComplete
from tui.widgets.tick import Tick

if TYPE_CHECKING:
    from engine.datasets.export import ExportProgress
    from engine.project import Project
    from tui.snapshot import Snapshot


@dataclass
class Advanced(Message):
    progress: ExportProgress

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, Advanced)


@dataclass
class Ended(Message):
    sentence: str
    done: bool


@dataclass
class FileExists(Message):
    path: Path


class Export(ModalScreen[str | None]):
    """Writes the merged captions; returns what was written, None if nothing was."""

    CSS_PATH = "export.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close", tooltip="Cancel and close", id="export.close"),
    ]

    def __init__(self, project: Project, snapshot: Snapshot) -> None:
        super().__init__()
        self.project = project
        self.snapshot = snapshot
        self.exporting = False
        self.cancelled = False
        self.may_replace: Path | None = None
        self.sentence: str | None = None

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog", can_focus=False) as dialog:
            dialog.border_title = "Export"
            dialog.border_subtitle = "esc closes"
            yield Static(id="counts", markup=False)
            yield Label("Write to", classes="field")
            target = self.project.folder / f"{self.project.name}.json"
            yield Input(shortened(target), id="path", compact=True)
            yield Label("Models", classes="field")
            with VerticalScroll(id="models", can_focus=False):
                yield from self.model_boxes()
            yield Tick("original captions first", id="original", compact=True)
            yield Tick("unfinished: export what there is", id="partial", compact=True)
            yield Label("Image root for the reader of the file", classes="field")
            yield Input(placeholder="paths stay as in the input", id="root", compact=True)
            yield ProgressBar(show_eta=True, id="bar")
            yield Static(id="said", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel")
                yield Button("Export", id="export", variant="primary")
        yield PathComplete("#path")
        yield PathComplete("#root")

    def model_boxes(self) -> Iterable[Tick]:
        for number, model in enumerate(self.snapshot.models):
            captions = text.plural(model.captioned, "caption")
            label = Content(f"{text.visible(model.row.name)}  {captions}")
            yield Tick(label, True, id=f"model-{number}", compact=True)

    def on_mount(self) -> None:
        for field in self.query(Input):
            field.cursor_blink = False
        self.query_one("#bar").display = False
        self.count()

    def chosen(self) -> list[int]:
        boxes = enumerate(self.query("#models Tick").results(Tick))
        return [number for number, box in boxes if box.value]

    @on(Tick.Changed)
    def count(self) -> None:
        models = [self.snapshot.models[number] for number in self.chosen()]
        captions = sum(model.captioned for model in models)
        failed = sum(model.failed for model in models)
        tasks = self.snapshot.tasks
        open_tasks = tasks["pending"] + tasks["running"] + tasks["failed"]
        left = f"; {text.plural(open_tasks, 'task')} not done" if open_tasks else ""
        self.query_one("#counts", Static).update(
            f"{text.plural(captions, 'caption')} of {text.plural(len(models), 'model')},"
            f" {text.plural(failed, 'record')} failed{left}"
        )
        self.query_one("#export").disabled = not models or self.exporting

    @on(Button.Pressed, "#export")
    @on(Input.Submitted)
    def begin(self) -> None:
        if self.exporting or self.query_one("#export").disabled:
            return
        written = self.query_one("#path", Input).value.strip()
        if not written:
            self.say("where to? the path is empty", bad=True)
            return
        models = tuple(self.snapshot.models[number].row.name for number in self.chosen())
        choice = actions.ExportChoice(
            models=() if len(models) == len(self.snapshot.models) else models,
            with_original=self.query_one("#original", Tick).value,
            image_root=self.query_one("#root", Input).value.strip() or None,
            allow_partial=self.query_one("#partial", Tick).value,
        )
        self.set_exporting(True)
        self.say("exporting ...")
        self.export(Path(written).expanduser(), choice)

    @work(thread=True, group="export", exit_on_error=False)
    def export(self, out: Path, choice: actions.ExportChoice) -> None:
        try:
            if out.exists() and out != self.may_replace:
                self.post_message(FileExists(out))
                return
            sentence = actions.export(
                self.project,
                out,
                choice,
                self.tell,
                lambda: self.cancelled,
            )
            self.post_message(Ended(sentence, True))
        except (BadInput, Refused) as error:
            self.post_message(Ended(str(error), False))
        except Exception as error:
            reason = "cancelled; nothing was written" if self.cancelled else describe(error)
            self.post_message(Ended(reason, False))

    def tell(self, progress: ExportProgress) -> None:
        self.post_message(Advanced(progress))

    @on(FileExists)
    def file_exists(self, event: FileExists) -> None:
        self.may_replace = event.path
        self.set_exporting(False)
        self.say(f"{event.path} exists; Export again replaces it", bad=True)

    @on(Advanced)
    def advanced(self, event: Advanced) -> None:
        now = event.progress
        self.query_one("#bar", ProgressBar).update(total=now.shards, progress=now.shards_done)
        self.say(
            f"{text.number(now.shards_done)} of {text.plural(now.shards, 'shard')},"
            f" {text.plural(now.captions, 'caption')}, {text.size(now.bytes)}"
        )

    @on(Ended)
    def ended(self, event: Ended) -> None:
        self.set_exporting(False)
        self.cancelled = False
        if event.done:
            self.sentence = event.sentence
            self.query_one("#cancel", Button).label = "Close"
        self.say(event.sentence, bad=not event.done)

    def set_exporting(self, exporting: bool) -> None:
        self.exporting = exporting
        self.query_one("#bar").display = exporting
        self.query_one("#export").disabled = exporting

    def say(self, sentence: str, bad: bool = False) -> None:
        line = self.query_one("#said", Static)
        line.update(text.visible(sentence))
        line.set_class(bad, "error")

    @on(Button.Pressed, "#cancel")
    def action_close(self) -> None:
        """While an export is written, the first press cancels it."""
        if self.exporting:
            self.cancelled = True
            self.say("cancelling ...")
        else:
            self.dismiss(self.sentence)

    def on_unmount(self) -> None:
        self.cancelled = True


def shortened(path: Path) -> str:
    """Relative where it lies under the current folder."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
