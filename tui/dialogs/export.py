"""The Export dialog: writes the captions to a file in a chosen format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.message import Message
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Button, Input, ProgressBar, Static

from engine.utils.errors import BadInput, RequestRefused
from tui.dialogs.deferred_dialog import DeferredDialog
from tui.formatting import content, text
from tui.formatting.text import describe_error
from tui.session.feedback import copy, notify
from tui.viewmodel import actions
from tui.widgets.export_form import ExportForm

if TYPE_CHECKING:
    from engine.datasets.exports.export import ExportOptions, ExportProgress
    from engine.project.layout import Project
    from tui.viewmodel.snapshot import Snapshot


KEYS_BEFORE = "enter exports, ctrl+y copies the command, esc closes"
"""The keys, as the border shows them while nothing is exported."""
KEYS_DURING = "ctrl+n background, esc cancels"
"""The keys while an export is being written."""
COUNT_DELAY = 0.3
"""Seconds without a change after which it is counted what stays."""


@dataclass
class ExportAdvanced(Message):
    """More of the export is written; a newer message replaces one that is still waiting."""

    progress: ExportProgress

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, ExportAdvanced)


@dataclass
class ExportEnded(Message):
    """The export is complete (`done`), or it failed or was cancelled."""

    sentence: str
    done: bool


@dataclass
class ExportFileExists(Message):
    """There is a file at the chosen path; the user may replace it by exporting once more."""

    path: Path


@dataclass
class CaptionsCounted(Message):
    """It is known what stays with the filters of a count (`sentence`), or why it cannot be."""

    number: int
    """The number of the count: only the newest one is of use."""
    sentence: str
    failed: bool = False


class Export(DeferredDialog[str | None]):
    """A form that writes the captions; returns what was written, None if nothing was."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close", tooltip="Cancel and close", id="export.close"),
        Binding("ctrl+y", "copy", "Copy", tooltip="Copy the command", id="export.copy"),
        Binding("ctrl+n", "background", "Background", False, id="export.background"),
    ]

    def __init__(
        self,
        project: Project,
        snapshot: Snapshot,
        readonly: bool = False,
        keep_options: Callable[[ExportOptions], None] = lambda options: None,
    ) -> None:
        super().__init__()
        self.keep_options = keep_options
        """Takes the options whenever the form is filled in with others."""
        self.project = project
        self.snapshot = snapshot
        self.readonly = readonly
        """True if nothing of the project may change: damage that is found is only shown."""
        self.exporting = False
        """True while a thread writes the export."""
        self.cancelled = False
        """True once the thread should stop."""
        self.replaceable_path: Path | None = None
        """The existing file that may be replaced: the user was warned of it."""
        self.sentence: str | None = None
        """The sentence about what the last complete export wrote."""
        self.in_background = False
        """True if the dialog was closed while the export goes on."""
        self.command = ""
        """The shell command that writes the same."""
        self.form_error = ""
        """Why nothing can be exported with what is entered."""
        self.count_number = 0
        """The number of the newest count of what stays; older ones stop."""
        self.count_timer: Timer | None = None
        """Starts the count when nothing was changed for a moment."""

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog", can_focus=False) as dialog:
            dialog.border_title = "Export"
            dialog.border_subtitle = KEYS_BEFORE
            yield Static(id="counts", markup=False)
            yield Static(id="stays", markup=False)
            yield Static(id="command", markup=False, classes="muted")
            yield ProgressBar(show_eta=True, id="bar")
            yield Static(id="said", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button("Export", id="export", variant="primary", compact=True)

    async def mount_fields(self) -> None:
        form = ExportForm(self.project.folder, self.snapshot)
        await self.query_one(".dialog").mount(form, after="#counts")

    def first_field(self) -> Widget:
        return self.query_one("#path")

    def on_mount(self) -> None:
        self.query_one("#bar").display = False
        self.query_one("#stays").display = False
        self.query_one("#export").disabled = True

    @property
    def form(self) -> ExportForm:
        return self.query_one(ExportForm)

    @on(ExportForm.Changed)
    def update_command(self) -> None:
        """Show what would be exported and by what command, or why nothing can be."""
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
        options = None
        try:
            options = self.form.options()
        except BadInput as error:
            self.command, self.form_error = "", str(error)
        else:
            self.keep_options(options)
            path = self.form.path
            self.command = actions.export_command(self.project, path, options) if path else ""
            self.form_error = "" if path else "where to? the path is empty"
        self.count_later(options)
        self.query_one("#command", Static).update(text.visible(self.command or self.form_error))
        self.query_one("#export").disabled = bool(self.form_error) or self.exporting
        if not self.exporting:
            self.show_message("")

    def count_later(self, options: ExportOptions | None) -> None:
        """Count what stays with these options once nothing is changed for a moment, if they leave
        anything out; a count that is under way stops."""
        self.count_number += 1
        if self.count_timer is not None:
            self.count_timer.stop()
        counts = options is not None and bool(options.filter_arguments())
        self.show_count("counting what stays ..." if counts else "")
        if options is not None and counts:
            number, chosen = self.count_number, options
            self.count_timer = self.set_timer(
                COUNT_DELAY,
                lambda: self.run_worker(
                    lambda: self.count(number, chosen), thread=True, exit_on_error=False
                ),
            )

    def count(self, number: int, options: ExportOptions) -> None:
        """Count what stays. Called in a thread."""
        try:
            sentence = actions.count_export(
                self.project, options, lambda: number != self.count_number, self.readonly
            )
            self.post_message(CaptionsCounted(number, sentence))
        except BadInput as error:
            self.post_message(CaptionsCounted(number, str(error), failed=True))
        except Exception as error:
            self.post_message(CaptionsCounted(number, describe_error(error), failed=True))

    @on(CaptionsCounted)
    def counted(self, event: CaptionsCounted) -> None:
        if event.number == self.count_number:
            self.show_count(event.sentence, event.failed)

    def show_count(self, sentence: str, failed: bool = False) -> None:
        """Show what stays: in full above the command, in short where it is always in view."""
        line = self.query_one("#stays", Static)
        line.update(text.visible(sentence))
        line.display = bool(sentence)
        short = f": {sentence.partition(';')[0]}" if sentence and not failed else ""
        self.query_one(".dialog").border_title = content.title(f"Export{short}")
        line.set_class(failed, "error")

    def action_copy(self) -> None:
        copy(self.app, self.command)

    def action_background(self) -> None:
        """Close the dialog while the export goes on; a notification tells when it ends."""
        if self.exporting:
            self.in_background = True
            notify(self, "exporting in the background; a message tells when it ends")
            self.dismiss(None)

    @on(Button.Pressed, "#export")
    @on(Input.Submitted)
    def start_export(self) -> None:
        if self.exporting:
            return
        if self.form_error:
            self.show_message(self.form_error, is_error=True)
            return
        out, options = Path(self.form.path).expanduser(), self.form.options()
        self.set_exporting(True)
        self.show_message("exporting ...")
        self.app.run_worker(
            lambda: self.export(out, options), thread=True, group="export", exit_on_error=False
        )

    def export(self, out: Path, options: ExportOptions) -> None:
        """Write the export. Called in a thread of the application, which may outlive the dialog."""
        try:
            if out.exists() and out != self.replaceable_path:
                self.post_message(ExportFileExists(out))
                return
            sentence = actions.export(
                self.project,
                out,
                replace(options, force=out == self.replaceable_path),
                self.report_progress,
                lambda: self.cancelled,
                tell=not self.readonly,
            )
            self.report_end(ExportEnded(sentence, True))
        except (BadInput, RequestRefused) as error:
            self.report_end(ExportEnded(str(error), False))
        except Exception as error:
            reason = "cancelled; nothing was written" if self.cancelled else describe_error(error)
            self.report_end(ExportEnded(reason, False))

    def report_end(self, ended: ExportEnded) -> None:
        """Tell the dialog, or the user if the dialog is closed, that the export ended."""
        if self.in_background:
            severity = "information" if ended.done else "error"
            self.app.call_from_thread(notify, self.app, ended.sentence, severity)
        else:
            self.post_message(ended)

    def report_progress(self, progress: ExportProgress) -> None:
        if not self.in_background:
            self.post_message(ExportAdvanced(progress))

    @on(ExportFileExists)
    def file_exists(self, event: ExportFileExists) -> None:
        self.replaceable_path = event.path
        self.set_exporting(False)
        self.show_message(f"{event.path} exists; Export again replaces it", is_error=True)

    @on(ExportAdvanced)
    def advanced(self, event: ExportAdvanced) -> None:
        progress = event.progress
        bar = self.query_one("#bar", ProgressBar)
        bar.update(total=progress.shards, progress=progress.shards_done)
        if progress.counting:
            shards = text.plural(progress.shards, "shard")
            self.show_message(f"counted {text.number(progress.shards_done)} of {shards}")
            return
        self.show_message(
            f"{text.number(progress.shards_done)} of {text.plural(progress.shards, 'shard')},"
            f" {text.plural(progress.captions, 'caption')}, {text.size(progress.bytes)}"
        )

    @on(ExportEnded)
    def ended(self, event: ExportEnded) -> None:
        self.set_exporting(False)
        self.cancelled = False
        if event.done:
            self.sentence = event.sentence
            self.query_one("#cancel", Button).label = "Close"
        self.show_message(event.sentence, is_error=not event.done)

    def set_exporting(self, exporting: bool) -> None:
        self.exporting = exporting
        self.query_one(".dialog").border_subtitle = KEYS_DURING if exporting else KEYS_BEFORE
        self.query_one("#bar").display = exporting
        self.query_one("#export").disabled = exporting or bool(self.form_error)

    def show_message(self, sentence: str, is_error: bool = False) -> None:
        line = self.query_one("#said", Static)
        line.update(text.visible(sentence))
        line.set_class(is_error, "error")

    @on(Button.Pressed, "#cancel")
    def action_close(self) -> None:
        """Close the dialog, or first cancel the export that is being written."""
        if self.exporting:
            self.cancelled = True
            self.show_message("cancelling ...")
        else:
            self.dismiss_when_filled(self.sentence)

    def on_unmount(self) -> None:
        self.count_number += 1
        self.cancelled = not self.in_background
