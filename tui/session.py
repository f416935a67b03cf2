"""The application as screens use it: the open project, its newest snapshot, requests to its run.

It knows no screen; `tui.app` adds the modes, the keys and the dialogs. Everything that reads files
or waits for the engine runs in a thread and posts a message of `tui.messages` when it is done.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text
from textual import on, work
from textual.app import App
from textual.reactive import var

from engine.utils.errors import BadInput, RequestRefused
from tui import messages
from tui.action_rules import ACTIONS_NEEDING_PROJECT, READONLY_REASON, RUN_CHANGING_ACTIONS
from tui.config import user_files
from tui.config.settings import UserSettings
from tui.formatting import text
from tui.formatting.text import describe_error
from tui.terminal.graphics import ImageSupport
from tui.viewmodel import actions

if TYPE_CHECKING:
    from engine.project.layout import Project
    from tui.viewmodel.snapshot import Snapshot
    from tui.viewmodel.snapshot_reader import SnapshotReader


class Session(App[Path]):
    """The application as its screens, widgets and dialogs see it.

    `folder` is the project to open; None: no project, and the welcome screen is shown.
    """

    # `var`, not `reactive`: a reactive attribute of the app paints the whole screen again.
    snapshot: var[Snapshot | None] = var(None, init=False)
    """The newest snapshot; None until the project is open."""
    snapshot_error: var[str | None] = var(None, init=False)
    """Why no snapshot could be read the last time; None if one was read."""
    request_pending: var[bool] = var(False, init=False)
    """True from when a request is sent to the engine until it is answered."""

    def __init__(
        self,
        folder: Path | None = None,
        readonly: bool = False,
        settings: UserSettings = UserSettings(),  # noqa: B008 (frozen)
        image_support: ImageSupport = ImageSupport("cells"),  # noqa: B008 (frozen)
    ) -> None:
        super().__init__()
        self.image_support = image_support
        self.readonly = readonly
        self.settings = settings
        # Over SSH every frame of an animation is bytes; TEXTUAL_ANIMATIONS turns them on.
        if "TEXTUAL_ANIMATIONS" not in os.environ:
            self.animation_level = "none"
        self.folder = folder
        self.project: Project | None = None
        """The project, once a thread has opened it."""
        self.reader: SnapshotReader | None = None
        self.reading = False
        """True while a thread reads a snapshot; there is one such thread at most."""
        self.opened = False
        """True from when the first screen is open until the application ends."""

    def on_unmount(self) -> None:
        self.opened = False
        if self.reader is not None:
            self.reader.close()

    # Reading snapshots

    def tick(self) -> None:
        """Read the snapshot again in a thread, unless a thread is reading it already."""
        if not self.reading:
            self.reading = True
            self.read_snapshot()

    @work(thread=True, group="snapshot", exit_on_error=False)
    def read_snapshot(self) -> None:
        """Read a snapshot; the first time, open the project before that."""
        from tui.viewmodel.snapshot_reader import SnapshotReader

        try:
            if not self.opened:
                return
            if self.reader is None:
                assert self.folder is not None  # noqa: S101
                project = actions.open_project(self.folder)
                user_files.remember_project(project.folder)
                self.reader = SnapshotReader(project)
                self.post_message(messages.ProjectOpened(project))
            before = self.reader.last
            snapshot = self.reader.read()
            if snapshot is not before or self.snapshot_error is not None:
                self.post_message(messages.SnapshotRead(snapshot))
        except BadInput as error:
            self.post_message(messages.ProjectRefused(str(error)))
        except Exception as error:
            self.post_message(messages.SnapshotFailed(describe_error(error)))
        finally:
            self.reading = False

    @on(messages.ProjectOpened)
    def project_opened(self, event: messages.ProjectOpened) -> None:
        self.project = event.project

    @on(messages.ProjectRefused)
    def project_refused(self, event: messages.ProjectRefused) -> None:
        self.exit(return_code=2, message=Text(text.visible(event.reason)))

    @on(messages.SnapshotRead)
    def snapshot_read(self, event: messages.SnapshotRead) -> None:
        died_before = self.snapshot is not None and self.snapshot.supervisor_died
        # Set without its watcher: `snapshot` below refreshes the screens.
        self.set_reactive(Session.snapshot_error, None)
        self.snapshot = event.snapshot
        if event.snapshot.supervisor_died and not died_before and event.snapshot.state == "idle":
            self.notify_plain(
                "the run was killed; no caption is lost, and p goes on with it", "warning"
            )

    @on(messages.SnapshotFailed)
    def snapshot_failed(self, event: messages.SnapshotFailed) -> None:
        self.snapshot_error = event.reason

    def watch_snapshot(self) -> None:
        self.refresh_screens()

    def watch_snapshot_error(self) -> None:
        self.refresh_screens()

    def watch_request_pending(self) -> None:
        self.refresh_screens()

    def refresh_screens(self) -> None:
        """Show the newest snapshot, or why there is none, on every screen of the stack."""
        raise NotImplementedError

    def show_record(self, shard: int, i: int) -> object:
        """Open the Samples screen at a record; `i` is its index in the shard."""
        raise NotImplementedError

    # Which actions can work now

    @property
    def run_key_action(self) -> str:
        """The name of the action that the key p stands for now."""
        state = self.snapshot.state if self.snapshot else "idle"
        return {"running": "pause", "paused": "resume"}.get(state, "start")

    def why_not(self, action: str) -> str | None:
        """Return why an action of the application cannot work now, None if it can."""
        if self.readonly and action in RUN_CHANGING_ACTIONS:
            return READONLY_REASON
        if action not in ACTIONS_NEEDING_PROJECT:
            return None
        if self.folder is None:
            return "no project is open"
        if action in ("switch_mode", "refresh"):
            return None
        if self.snapshot is None or self.project is None:
            return "the project is still being opened"
        if action in ("coverage", "models"):
            return None
        if action == "reshear":
            return self.why_no_change()
        if action in ("pilot", "start_on") and self.snapshot.supervisor:
            return "the run has the devices"
        if action == "pilot":
            return None
        if action in ("export", "lengths"):
            return None if self.snapshot.captioned else "there is no caption yet"
        if self.request_pending:
            return "the run has not answered yet"
        if self.snapshot.state == "finished":
            return "everything is captioned; retry shards on the Shards screen"
        if self.snapshot.supervisor and self.snapshot.supervisor.stopping:
            return "the run is stopping"
        return None

    def why_no_change(self) -> str | None:
        """Return why models and shearing cannot be changed now, None if they can."""
        if self.readonly:
            return READONLY_REASON
        running = self.snapshot is not None and self.snapshot.supervisor is not None
        return "the project is running: stop it first (q)" if running else None

    # Requests to the engine

    def action_start(self) -> None:
        self.perform(actions.start)

    def send_request(self, kind: str, quit: bool = False, **payload: Any) -> None:
        """Send a request to the run, as `perform` does."""
        self.perform(lambda project: actions.send_request(project, kind, **payload), quit)

    def perform(self, action: Callable[[Project], str], quit: bool = False) -> None:
        """Call a function of `tui.viewmodel.actions` in a thread and show the text it returns.

        If it succeeds and `quit` is set, the application ends.
        """
        if self.project is not None:
            self.request_pending = True
            self.perform_in_thread(action, self.project, quit)

    @work(thread=True, group="requests", exit_on_error=False)
    def perform_in_thread(
        self, action: Callable[[Project], str], project: Project, quit: bool
    ) -> None:
        try:
            finished = messages.ActionFinished(action(project), True, quit)
        except (BadInput, RequestRefused) as error:
            finished = messages.ActionFinished(str(error), False)
        except Exception as error:
            finished = messages.ActionFinished(describe_error(error), False)
        self.post_message(finished)

    @on(messages.ActionFinished)
    def show_outcome(self, event: messages.ActionFinished) -> None:
        self.request_pending = False
        if event.text:
            self.notify_plain(event.text, "information" if event.succeeded else "error")
        if event.quit and event.succeeded:
            self.exit(message=Text(text.visible(event.text)))
        else:
            self.tick()

    def notify_plain(self, message: str, severity: Any = "information") -> None:
        """Show a notification whose text may come from outside: never read as markup."""
        self.notify(text.visible(message), severity=severity, markup=False)

    @work(thread=True, group="background", exit_on_error=False)
    def run_in_background(self, job: Callable[[], None]) -> None:
        """Run `job` in a thread of its own, which outlives the dialog that asked for it."""
        job()

    def copy(self, copied_text: str) -> None:
        """Copy text to the clipboard of the terminal, to tmux and to the last-copy file."""
        self.copy_to_clipboard(copied_text)
        self.save_copy(copied_text)

    @work(thread=True, group="copy", exit_on_error=False)
    def save_copy(self, copied_text: str) -> None:
        from tui.terminal import clipboard

        self.call_from_thread(self.notify_plain, clipboard.save_copy(copied_text))

    def action_refresh(self) -> None:
        if self.reader is not None:
            self.reader.version = None
        self.tick()
