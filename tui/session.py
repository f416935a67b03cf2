"""What screens ask of the application: the open project, its newest snapshot, requests.

It knows no screen. `tui.app` adds the modes, the keys and the dialogs.
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

from engine.utils.errors import BadInput, Refused
from tui import messages
from tui.action_rules import CHANGES, NEEDS_PROJECT, READONLY
from tui.config import user_files
from tui.config.settings import Settings
from tui.formatting import text
from tui.formatting.text import describe_error
from tui.terminal.graphics import Drawing
from tui.viewmodel import actions

if TYPE_CHECKING:
    from engine.project.layout import Project
    from tui.viewmodel.snapshot import Reader, Snapshot


class Session(App[Path]):
    """The application as its screens, widgets and dialogs see it."""

    # Not `reactive`: of the app these paint the whole screen again.
    snapshot: var[Snapshot | None] = var(None, init=False)
    trouble: var[str | None] = var(None, init=False)
    asking: var[bool] = var(False, init=False)

    def __init__(
        self,
        folder: Path | None = None,
        readonly: bool = False,
        settings: Settings = Settings(),  # noqa: B008 (frozen)
        drawing: Drawing = Drawing("cells"),  # noqa: B008 (frozen)
    ) -> None:
        super().__init__()
        self.drawing = drawing
        self.readonly = readonly
        self.settings = settings
        # Over SSH every frame of an animation is bytes; TEXTUAL_ANIMATIONS turns them on.
        if "TEXTUAL_ANIMATIONS" not in os.environ:
            self.animation_level = "none"
        self.folder = folder
        self.project: Project | None = None
        self.reader: Reader | None = None
        self.reading = False
        self.opened = False

    def on_unmount(self) -> None:
        self.opened = False
        if self.reader is not None:
            self.reader.close()

    # The snapshot

    def tick(self) -> None:
        if not self.reading:
            self.reading = True
            self.read_snapshot()

    @work(thread=True, group="snapshot", exit_on_error=False)
    def read_snapshot(self) -> None:
        from tui.viewmodel.snapshot import Reader

        try:
            if not self.opened:
                return
            if self.reader is None:
                assert self.folder is not None  # noqa: S101
                project = actions.open_project(self.folder)
                user_files.remember(project.folder)
                self.reader = Reader(project)
                self.post_message(messages.ProjectOpened(project))
            before = self.reader.last
            snapshot = self.reader.read()
            if snapshot is not before or self.trouble is not None:
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
        died = self.snapshot is not None and self.snapshot.died
        self.set_reactive(Session.trouble, None)
        self.snapshot = event.snapshot
        if event.snapshot.died and not died and event.snapshot.state == "idle":
            self.tell("the run was killed; no caption is lost, and p goes on with it", "warning")

    @on(messages.SnapshotFailed)
    def snapshot_failed(self, event: messages.SnapshotFailed) -> None:
        self.trouble = event.reason

    def watch_snapshot(self) -> None:
        self.show()

    def watch_trouble(self) -> None:
        self.show()

    def watch_asking(self) -> None:
        self.show()

    def show(self) -> None:
        """Shows the newest snapshot, or why there is none, on every screen of the stack."""
        raise NotImplementedError

    def show_record(self, shard: int, i: int) -> object:
        """Opens Samples at a record; `i` is its index in the shard."""
        raise NotImplementedError

    # What can be done now

    @property
    def run_label(self) -> str:
        """The action that p stands for now."""
        state = self.snapshot.state if self.snapshot else "idle"
        return {"running": "pause", "paused": "resume"}.get(state, "start")

    def why_not(self, action: str) -> str | None:
        """Why an action cannot work now, None if it can."""
        if self.readonly and action in CHANGES:
            return READONLY
        if action not in NEEDS_PROJECT:
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
        if self.asking:
            return "the run has not answered yet"
        if self.snapshot.state == "finished":
            return "everything is captioned; retry shards on the Shards screen"
        if self.snapshot.supervisor and self.snapshot.supervisor.stopping:
            return "the run is stopping"
        return None

    def why_no_change(self) -> str | None:
        """Why models and shearing stay as they are now."""
        if self.readonly:
            return READONLY
        running = self.snapshot is not None and self.snapshot.supervisor is not None
        return "the project is running: stop it first (q)" if running else None

    # What is asked of the run

    def action_start(self) -> None:
        self.call(actions.start)

    def ask(self, kind: str, quit: bool = False, **payload: Any) -> None:
        self.call(lambda project: actions.ask(project, kind, **payload), quit)

    def call(self, action: Callable[[Project], str], quit: bool = False) -> None:
        if self.project is not None:
            self.asking = True
            self.wait_for_answer(action, self.project, quit)

    @work(thread=True, group="requests", exit_on_error=False)
    def wait_for_answer(
        self, action: Callable[[Project], str], project: Project, quit: bool
    ) -> None:
        try:
            answer = messages.Answered(action(project), True, quit)
        except (BadInput, Refused) as error:
            answer = messages.Answered(str(error), False)
        except Exception as error:
            answer = messages.Answered(describe_error(error), False)
        self.post_message(answer)

    @on(messages.Answered)
    def answered(self, event: messages.Answered) -> None:
        self.asking = False
        if event.sentence:
            self.tell(event.sentence, "information" if event.done else "error")
        if event.quit and event.done:
            self.exit(message=Text(text.visible(event.sentence)))
        else:
            self.tick()

    def tell(self, sentence: str, severity: Any = "information") -> None:
        self.notify(text.visible(sentence), severity=severity, markup=False)

    @work(thread=True, group="background", exit_on_error=False)
    def in_background(self, job: Callable[[], None]) -> None:
        job()

    def copy(self, copied: str) -> None:
        self.copy_to_clipboard(copied)
        self.keep_copy(copied)

    @work(thread=True, group="copy", exit_on_error=False)
    def keep_copy(self, copied: str) -> None:
        from tui.terminal import clipboard

        self.call_from_thread(self.tell, clipboard.keep(copied))

    def action_refresh(self) -> None:
        if self.reader is not None:
            self.reader.version = None
        self.tick()
