from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Button, Input, ProgressBar, Static

from engine.utils.errors import BadInput, Refused
from tui.dialogs.deferred_dialog import DeferredDialog
from tui.formatting import text
from tui.formatting.text import describe_error
from tui.viewmodel import actions
from tui.widgets.export_form import ExportForm

if TYPE_CHECKING:
    from engine.datasets.exports.export import ExportOptions, ExportProgress
    from engine.project.layout import Project
    from tui.session import Session
    from tui.viewmodel.snapshot import Snapshot


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


class Export(DeferredDialog[str | None]):
    """Writes the merged captions; returns what was written, None if nothing was."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close", tooltip="Cancel and close", id="export.close"),
        Binding("ctrl+y", "copy", "Copy", tooltip="Copy the command", id="export.copy"),
        Binding("ctrl+n", "background", "Background", False, id="export.background"),
    ]

    def __init__(self, project: Project, snapshot: Snapshot) -> None:
        super().__init__()
        self.project = project
        self.snapshot = snapshot
        self.exporting = False
        self.cancelled = False
        self.may_replace: Path | None = None
        self.sentence: str | None = None
        self.behind = False
        """Whether the dialog was closed and the export goes on."""
        self.command = self.trouble = ""

    @property
    def main(self) -> Session:
        return cast("Session", self.app)

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog", can_focus=False) as dialog:
            dialog.border_title = "Export"
            dialog.border_subtitle = "ctrl+y copies the command, ctrl+n background, esc closes"
            yield Static(id="counts", markup=False)
            yield Static(id="command", markup=False, classes="muted")
            yield ProgressBar(show_eta=True, id="bar")
            yield Static(id="said", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button("Export", id="export", variant="primary", compact=True)

    async def fill(self) -> None:
        form = ExportForm(self.project.folder, self.snapshot)
        await self.query_one(".dialog").mount(form, after="#counts")

    def first(self) -> Widget:
        return self.query_one("#path")

    def on_mount(self) -> None:
        self.query_one("#bar").display = False
        self.query_one("#export").disabled = True

    @property
    def form(self) -> ExportForm:
        return self.query_one(ExportForm)

    @on(ExportForm.Changed)
    def look(self) -> None:
        """Says what would be written by what command, or why nothing can."""
        models = self.form.models
        captions = sum(model.captioned for model in models)
        failed = sum(model.failed for model in models)
        tasks = self.snapshot.tasks
        open_tasks = tasks["pending"] + tasks["running"] + tasks["failed"]
        left = f"; {text.plural(open_tasks, 'task')} not done" if open_tasks else ""
        self.query_one("#counts", Static).update(
            f"{text.plural(captions, 'caption')} of {text.plural(len(models), 'model')},"
            f" {text.plural(failed, 'record')} failed{left}"
        )
        try:
            options = self.form.options()
        except BadInput as error:
            self.command, self.trouble = "", str(error)
        else:
            path = self.form.path
            self.command = actions.export_command(self.project, path, options) if path else ""
            self.trouble = "" if path else "where to? the path is empty"
        self.query_one("#command", Static).update(text.visible(self.command or self.trouble))
        self.query_one("#export").disabled = bool(self.trouble) or self.exporting
        if not self.exporting:
            self.say("")

    def action_copy(self) -> None:
        self.main.copy(self.command)

    def action_background(self) -> None:
        """The export goes on, and says when it is done."""
        if self.exporting:
            self.behind = True
            self.main.tell("exporting in the background; its end will be said")
            self.dismiss(None)

    @on(Button.Pressed, "#export")
    @on(Input.Submitted)
    def begin(self) -> None:
        if self.exporting:
            return
        if self.trouble:
            self.say(self.trouble, bad=True)
            return
        out, options = Path(self.form.path).expanduser(), self.form.options()
        self.set_exporting(True)
        self.say("exporting ...")
        self.main.in_background(lambda: self.export(out, options))

    def export(self, out: Path, options: ExportOptions) -> None:
        """In a thread of the application, which may outlive this dialog."""
        try:
            if out.exists() and out != self.may_replace:
                self.post_message(FileExists(out))
                return
            sentence = actions.export(
                self.project,
                out,
                options,
                self.tell,
                lambda: self.cancelled,
            )
            self.end(Ended(sentence, True))
        except (BadInput, Refused) as error:
            self.end(Ended(str(error), False))
        except Exception as error:
            reason = "cancelled; nothing was written" if self.cancelled else describe_error(error)
            self.end(Ended(reason, False))

    def end(self, ended: Ended) -> None:
        if self.behind:
            severity = "information" if ended.done else "error"
            self.main.call_from_thread(self.main.tell, ended.sentence, severity)
        else:
            self.post_message(ended)

    def tell(self, progress: ExportProgress) -> None:
        if not self.behind:
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
        self.query_one("#export").disabled = exporting or bool(self.trouble)

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
            self.leave(self.sentence)

    def on_unmount(self) -> None:
        self.cancelled = not self.behind
