"""The application: modes, keys that work everywhere, and the snapshot that every screen shows."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual import on, work
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.events import Key, Resize
from textual.geometry import Size
from textual.reactive import var
from textual.screen import Screen

from engine.utils.errors import BadInput, Refused
from tui import dialogs, messages
from tui.config import user_files
from tui.config.settings import Settings
from tui.formatting import text
from tui.screens.too_small import HEIGHT, WIDTH, TooSmall
from tui.terminal.graphics import Drawing
from tui.viewmodel import actions

if TYPE_CHECKING:
    from textual.command import Provider

    from engine.project.layout import Project
    from tui.viewmodel.snapshot import Reader, Snapshot

STYLES: list[str | PurePath] = sorted(Path(__file__).parent.rglob("*.tcss"))
TICK_SECONDS = 1.0
PRELOAD_SECONDS = 1.0
"""The first figures come before anything that may be wanted later."""
CHANGES = frozenset(
    (
        "start",
        "start_on",
        "pause",
        "resume",
        "retry",
        "retry_failed",
        "skip",
        "priority",
        "pin",
        "wake",
        "exclude",
        "flag",
        "reshear",
        "leave",
    )
)
"""Actions that change the run: off with `--readonly`."""
NEEDS_PROJECT = frozenset(
    (
        "start",
        "start_on",
        "pause",
        "resume",
        "export",
        "switch_mode",
        "refresh",
        "coverage",
        "lengths",
        "pilot",
        "models",
        "reshear",
    )
)
READONLY = "opened with --readonly"


def dashboard() -> Screen[None]:
    from tui.screens.dashboard import Dashboard

    return Dashboard()


def shards() -> Screen[None]:
    from tui.screens.shards import Shards

    return Shards()


def samples() -> Screen[None]:
    from tui.screens.samples import Samples

    return Samples()


def failures() -> Screen[None]:
    from tui.screens.failures import Failures

    return Failures()


def logs() -> Screen[None]:
    from tui.screens.logs import Logs

    return Logs()


def commands() -> type[Provider]:
    from tui.command_palette import Commands

    return Commands


class MllmaugApp(App[Path]):
    """Opening it starts no work, closing it stops none.

    Returns the folder of another project that is to be opened, if one was chosen.
    """

    TITLE = "mllmaug-tui"
    # All of it at once: a screen that brings its own has everything parsed again when it opens.
    CSS_PATH = STYLES
    MODES: ClassVar[dict[str, str | Callable[[], Screen[Any]]]] = {
        "dashboard": dashboard,
        "shards": shards,
        "samples": samples,
        "failures": failures,
        "logs": logs,
    }
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]  # noqa: RUF012
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {commands}
    ENABLE_COMMAND_PALETTE = True
    PAUSE_GC_ON_SCROLL = True
    ALLOW_IN_MAXIMIZED_VIEW = "KeyBar, StatusBar"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("1", "switch_mode('dashboard')", "Dashboard", False, id="app.dashboard"),
        Binding("2", "switch_mode('shards')", "Shards", False, id="app.shards"),
        Binding("3", "switch_mode('samples')", "Samples", False, id="app.samples"),
        Binding("4", "switch_mode('failures')", "Failures", False, id="app.failures"),
        Binding("5", "switch_mode('logs')", "Logs", False, id="app.logs"),
        Binding("p", "start", "Run", tooltip="Start captioning", id="app.start"),
        Binding("p", "pause", "Pause", tooltip="Pause captioning", id="app.pause"),
        Binding("p", "resume", "Resume", tooltip="Go on captioning", id="app.resume"),
        Binding("e", "export", "Export", tooltip="Write the merged captions", id="app.export"),
        Binding("c", "coverage", "Coverage", False, tooltip="Shards by models", id="app.coverage"),
        Binding("h", "lengths", "Lengths", False, tooltip="Caption lengths", id="app.lengths"),
        Binding("n", "new", "New", False, tooltip="Make a new project", id="app.new"),
        Binding("u", "start_on", "Devices", False, tooltip="Run on devices", id="app.start_on"),
        Binding("M", "models", "Models", False, tooltip="Model settings, add", id="app.models"),
        Binding("H", "reshear", "Shear", False, tooltip="Shear all again", id="app.reshear"),
        Binding("D", "doctor", "Doctor", False, tooltip="Check this machine", id="app.doctor"),
        Binding("T", "pilot", "Pilot", False, tooltip="Try the first images", id="app.pilot"),
        Binding("question_mark,f1", "help", "Help", tooltip="What the keys do", id="app.help"),
        Binding("q", "quit", "Quit", tooltip="Quit, or stop the run", id="app.quit"),
        Binding("ctrl+q,ctrl+c", "quit", "Quit", False, priority=True, id="app.quit_anywhere"),
        Binding("colon", "command_palette", "Commands", False, id="app.commands"),
        Binding("ctrl+r", "refresh", "Refresh", False, tooltip="Read again now", id="app.refresh"),
        Binding("ctrl+z", "suspend_process", "Suspend", False, id="app.suspend"),
    ]

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
        self.colours: dict[str, str] = {}
        """What the style sheet was last read with."""

    async def on_mount(self) -> None:
        self.use_settings()
        if self.folder is None:
            from tui.screens.welcome import Welcome

            await self.push_screen(Welcome())
        else:
            await self.switch_mode("dashboard")
            self.set_interval(TICK_SECONDS, self.tick)
            self.call_after_refresh(self.tick)
        self.opened = True
        self.check_size(self.size)
        self.set_timer(PRELOAD_SECONDS, self.preload)

    def use_settings(self) -> None:
        from tui.config.themes import COLOUR_BLIND

        for theme in COLOUR_BLIND:
            self.register_theme(theme)
        if self.settings.theme in self.available_themes:
            self.theme = str(self.settings.theme)
        elif self.settings.theme is not None:
            self.tell(f"there is no theme {self.settings.theme!r}", "warning")
        self.set_keymap(dict(self.settings.keys))

    def refresh_css(self, animate: bool = True) -> None:
        """Textual reads every rule again for each new screen; only another theme needs that."""
        colours = self.get_css_variables()
        if colours != self.colours:
            self.colours = colours
            super().refresh_css(animate)

    def on_unmount(self) -> None:
        self.opened = False
        if self.reader is not None:
            self.reader.close()

    @on(Resize)
    def resized(self) -> None:
        if self.opened:  # of several in a row the last one counts
            self.call_later(lambda: self.check_size(self.size))

    def check_size(self, size: Size) -> None:
        small = size.width < WIDTH or size.height < HEIGHT
        if small and not isinstance(self.screen, TooSmall):
            self.push_screen(TooSmall())
        elif not small and isinstance(self.screen, TooSmall):
            self.pop_screen()

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
            self.post_message(messages.SnapshotFailed(describe(error)))
        finally:
            self.reading = False

    @on(messages.ProjectOpened)
    def project_opened(self, event: messages.ProjectOpened) -> None:
        self.project = event.project

    @work(thread=True, group="preload", exit_on_error=False)
    def preload(self) -> None:
        from tui.preload import preload

        preload()

    @on(messages.ProjectRefused)
    def project_refused(self, event: messages.ProjectRefused) -> None:
        self.exit(return_code=2, message=Text(text.visible(event.reason)))

    @on(messages.SnapshotRead)
    def snapshot_read(self, event: messages.SnapshotRead) -> None:
        died = self.snapshot is not None and self.snapshot.died
        self.set_reactive(MllmaugApp.trouble, None)
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
        from tui.screens.project_screen import RunScreen

        for screen in self.screen_stack:
            if isinstance(screen, RunScreen) and screen.is_mounted:
                screen.refresh_all()

    # What can be done now

    @property
    def run_label(self) -> str:
        """The action that p stands for now."""
        state = self.snapshot.state if self.snapshot else "idle"
        return {"running": "pause", "paused": "resume"}.get(state, "start")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("start", "pause", "resume") and action != self.run_label:
            return False
        return None if self.why_not(action) else True

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

    def on_key(self, event: Key) -> None:
        """A key that cannot work now says why. Called before the bindings are looked through."""
        from tui.screens.deferred_dialog import Early
        from tui.screens.help import why_not

        if isinstance(self.screen, Early):
            self.screen.keep(event)
        active = self.screen.active_bindings.get(event.key)
        if active is not None and not active.enabled:
            action = active.binding.action.removeprefix("app.").partition("(")[0]
            reason = why_not(active.node, action)
            if reason:
                said = f"{active.binding.description}: {reason}"
                self.notify(text.visible(said), severity="warning", timeout=3, markup=False)

    def why_no_change(self) -> str | None:
        """Why models and shearing stay as they are now."""
        if self.readonly:
            return READONLY
        running = self.snapshot is not None and self.snapshot.supervisor is not None
        return "the project is running: stop it first (q)" if running else None

    # What is asked of the run

    def action_start(self) -> None:
        self.call(actions.start)

    def action_pause(self) -> None:
        self.ask("pause")

    def action_resume(self) -> None:
        self.call(actions.resume)

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
            answer = messages.Answered(describe(error), False)
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

    @work(group="show")
    async def show_record(self, shard: int, i: int) -> None:
        from tui.screens.samples import Samples

        await self.switch_mode("samples")
        if isinstance(self.screen, Samples):
            self.screen.go_to(shard, i)

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

    # Dialogs

    def action_refresh(self) -> None:
        if self.reader is not None:
            self.reader.version = None
        self.tick()

    def action_help(self) -> None:
        dialogs.help(self)

    def action_export(self) -> None:
        dialogs.export(self)

    def action_coverage(self) -> None:
        dialogs.coverage(self)

    def action_lengths(self) -> None:
        dialogs.lengths(self)

    def action_models(self) -> None:
        dialogs.models(self)

    def action_reshear(self) -> None:
        dialogs.reshear(self)

    def action_doctor(self) -> None:
        dialogs.doctor(self)

    def action_start_on(self) -> None:
        dialogs.start_on(self)

    def action_new(self) -> None:
        dialogs.new(self)

    def action_pilot(self) -> None:
        dialogs.pilot(self)

    async def action_quit(self) -> None:
        dialogs.leave(self)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Ours come from the bindings; of Textual's those that make sense here."""
        for command in super().get_system_commands(screen):
            if command.title in ("Theme", "Maximize", "Minimize", "Screenshot"):
                yield command


def describe(error: Exception) -> str:
    """An unforeseen error in one line."""
    said = str(error).partition("\n")[0]
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
