"""The application: its screens, its threads, and what becomes of their messages."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path, PurePath
from threading import Timer
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual import on, work
from textual.app import App, SystemCommand
from textual.binding import BindingType
from textual.events import Key, Resize
from textual.screen import Screen

from engine.project.layout import Project
from tui import dialog_actions
from tui.config import user_files
from tui.config.settings import UserSettings
from tui.formatting import text
from tui.formatting.contrast import ReadableText
from tui.keys.action import ActionOwner, reason_disabled
from tui.keys.app import APP_ACTIONS
from tui.screens.too_small import cover_if_too_small
from tui.session import messages
from tui.session.feedback import notify
from tui.session.presence import Presence
from tui.session.session import Session
from tui.terminal.graphics import ImageSupport
from tui.terminal.notification import is_news, sequence
from tui.threads.requests import outcome_of
from tui.threads.snapshot_feed import SnapshotFeed
from tui.viewmodel import actions

if TYPE_CHECKING:
    from textual.command import Provider
    from textual.filter import LineFilter
    from textual.theme import Theme

    from tui.screens.project_screen import ProjectScreen


STYLES: list[str | PurePath] = sorted(Path(__file__).parent.rglob("*.tcss"))
"""The style sheets of the application and of all its screens, dialogs and widgets."""
TICK_SECONDS = 1.0
"""Seconds between two reads of the snapshot."""
SCREENSHOT_SECONDS = 0.1
"""Seconds until a screenshot is taken: the palette is closed by then."""
WARNING_SECONDS = 20.0
"""Seconds for which the warning of the start is shown: it names a file and what is wrong there."""
CLOSE_SECONDS = 10.0
"""Seconds that closing may take after a signal."""
PRELOAD_SECONDS = 1.0
"""Seconds until screens and dialogs are imported in advance: the first figures come first."""

# Screens are imported when they are first opened.


def create_dashboard(session: Session, project: Project) -> ProjectScreen:
    from tui.screens.dashboard import Dashboard

    return Dashboard(session, project)


def create_shards(session: Session, project: Project) -> ProjectScreen:
    from tui.screens.shards import Shards

    return Shards(session, project)


def create_samples(session: Session, project: Project) -> ProjectScreen:
    from tui.screens.samples import Samples

    return Samples(session, project)


def create_failures(session: Session, project: Project) -> ProjectScreen:
    from tui.screens.failures import Failures

    return Failures(session, project)


def create_logs(session: Session, project: Project) -> ProjectScreen:
    from tui.screens.logs import Logs

    return Logs(session, project)


def create_quality(session: Session, project: Project) -> ProjectScreen:
    from tui.screens.quality import Quality

    return Quality(session, project)


SCREENS: dict[str, Callable[[Session, Project], ProjectScreen]] = {
    "dashboard": create_dashboard,
    "shards": create_shards,
    "samples": create_samples,
    "failures": create_failures,
    "logs": create_logs,
    "quality": create_quality,
}
"""The application's modes, and the function that makes the screen of each."""


def command_provider() -> type[Provider]:
    from tui.command_palette import ActionCommands

    return ActionCommands


class MllmaugApp(ActionOwner, App[Path]):
    """The application: opening it starts no work, closing it stops none.

    `folder` is the project to open; None: no project, and the welcome screen is shown. `run`
    returns the folder of the project to open next, None to end.
    """

    TITLE = "mllmaug-tui"
    # All style sheets at once: for a screen with a CSS_PATH of its own, Textual parses all of them
    # again when the screen opens.
    CSS_PATH = STYLES
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]  # noqa: RUF012
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {command_provider}
    ENABLE_COMMAND_PALETTE = True
    PAUSE_GC_ON_SCROLL = True
    ALLOW_IN_MAXIMIZED_VIEW = "KeyBar, StatusBar"
    BINDINGS: ClassVar[list[BindingType]] = [*APP_ACTIONS]

    def __init__(
        self,
        folder: Path | None = None,
        readonly: bool = False,
        settings: UserSettings = UserSettings(),  # noqa: B008 (frozen)
        image_support: ImageSupport = ImageSupport("cells"),  # noqa: B008 (frozen)
        warning: str | None = None,
    ) -> None:
        """`warning` is shown at the start, such as what is wrong with the settings."""
        super().__init__()
        # Over SSH every frame of an animation is bytes; TEXTUAL_ANIMATIONS turns them on.
        if "TEXTUAL_ANIMATIONS" not in os.environ:
            self.animation_level = "none"
        self.readable_text = ReadableText()
        self.settings = settings
        self.warning = warning
        self.session = Session(
            readonly=readonly, image_support=image_support, user_settings=settings
        )
        self.presence = Presence(self.session)
        self.feed: SnapshotFeed | None = None
        """Reads the snapshots; None without a project."""
        self.opened = False
        """True from when the first screen is open until the application ends."""
        self.colours: dict[str, str] | None = None
        """The CSS variables with which the style sheets were last applied."""
        if folder is not None:
            self.session.project = project = Project.at(folder)
            self.feed = SnapshotFeed(folder, self.post_message, readonly)
            for mode, create_screen in SCREENS.items():
                self.add_mode(mode, partial(create_screen, self.session, project))

    def get_line_filters(self) -> Sequence[LineFilter]:
        return [*super().get_line_filters(), self.readable_text]

    async def on_mount(self) -> None:
        self.session.in_browser = self.is_web
        self.apply_settings()
        if not self.is_headless:
            self.close_on_signals()
        if self.feed is None:
            from tui.screens.welcome import Welcome

            await self.push_screen(Welcome())
        else:
            await self.switch_mode("dashboard")
            self.set_interval(TICK_SECONDS, self.tick)
            self.call_after_refresh(self.tick)
        self.opened = True
        cover_if_too_small(self)
        self.set_timer(PRELOAD_SECONDS, self.preload)

    def on_unmount(self) -> None:
        self.opened = False
        self.presence.save()
        if self.feed is not None:
            self.feed.close()

    def close_on_signals(self) -> None:
        """Close as a key does when the process is told to end: the terminal is then as it was."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self.close_by_signal, 128 + number)

    def close_by_signal(self, code: int) -> None:
        """Close as a key does, or end the process: closing waits for a terminal that is gone."""
        end = Timer(CLOSE_SECONDS, os._exit, [code])
        end.daemon = True
        end.start()
        self.exit(return_code=code)

    def apply_settings(self) -> None:
        from tui.config.themes import COLOUR_BLIND_THEMES

        if self.warning is not None:
            message = text.visible(self.warning)
            self.notify(message, severity="warning", timeout=WARNING_SECONDS, markup=False)
        for theme in COLOUR_BLIND_THEMES:
            self.register_theme(theme)
        if self.settings.theme is not None and self.settings.theme not in self.available_themes:
            notify(self, f"there is no theme {self.settings.theme!r}", "warning")
        for name in (self.settings.theme, user_files.chosen_theme()):
            if name in self.available_themes:
                self.theme = str(name)
                break
        self.theme_changed_signal.subscribe(self, self.keep_theme)
        self.set_keymap(dict(self.settings.keys))

    def keep_theme(self, theme: Theme) -> None:
        """Keep a theme that was chosen for the next start."""
        if theme.name == self.settings.theme:
            return
        user_files.remember_theme(theme.name)
        if self.settings.theme is not None:
            notify(self, f"config.toml sets the theme {self.settings.theme!r} for the next start")

    def refresh_css(self, animate: bool = True) -> None:
        # Textual applies every rule again for each new screen; only another theme needs that.
        colours = self.get_css_variables()
        if colours != self.colours:
            self.colours = colours
            super().refresh_css(animate)

    @on(Resize)
    def resized(self) -> None:
        if self.opened:  # later, so that of several in a row the last size counts
            self.call_later(cover_if_too_small, self)

    @work(thread=True, group="preload", exit_on_error=False)
    def preload(self) -> None:
        from tui.preload import preload

        preload()

    # The snapshot

    def tick(self) -> None:
        """Read the snapshot again in a thread, unless a thread is reading it already."""
        if self.feed is not None and self.feed.claim():
            self.run_worker(self.feed.read, thread=True, group="snapshot", exit_on_error=False)

    @on(messages.ProjectRefused)
    def project_refused(self, event: messages.ProjectRefused) -> None:
        self.exit(return_code=2, message=Text(text.visible(event.reason)))

    @on(messages.SnapshotRead)
    def snapshot_read(self, event: messages.SnapshotRead) -> None:
        before, snapshot = self.session.snapshot, event.snapshot
        self.session.snapshot, self.session.snapshot_error = snapshot, None
        self.tell_absence(self.presence.on_snapshot())
        self.refresh_screens()
        was_killed = before is not None and before.state == "killed"
        if snapshot.state == "killed" and not was_killed:
            notify(self, "the run was killed; no caption is lost, and p goes on with it", "warning")
            self.ring("the run was killed")
        for notice in snapshot.notices[len(before.notices) if before is not None else 0 :]:
            if is_news(notice):
                self.ring(notice.text if notice.model is None else f"{notice.model} {notice.text}")
        if snapshot.elsewhere is not None and (before is None or before.elsewhere is None):
            notify(self, f"the project is {snapshot.state}{snapshot.where}")

    def ring(self, message: str) -> None:
        """Tell the user by their terminal, which they may not be looking at."""
        name = f"mllmaug {self.session.project.name if self.session.project is not None else ''}"
        escape = sequence(self.settings.notifications, name.strip(), message, os.environ)
        if self._driver is not None and escape:
            self._driver.write(escape)

    def tell_absence(self, happened: str | None) -> None:
        """Show what happened while the user was away, if they were."""
        if happened is not None:
            notify(self, happened)

    @on(messages.SnapshotFailed)
    def snapshot_failed(self, event: messages.SnapshotFailed) -> None:
        self.session.snapshot_error = event.reason
        self.refresh_screens()

    def refresh_screens(self) -> None:
        """Show the newest snapshot, or why there is none, on every screen of the stack."""
        from tui.screens.project_screen import ProjectScreen

        for screen in self.screen_stack:
            if isinstance(screen, ProjectScreen) and screen.is_mounted:
                screen.refresh_all()

    def action_refresh(self) -> None:
        if self.feed is not None:
            self.feed.forget()
        self.tick()

    # What screens ask for

    @on(messages.ActionRequested)
    def perform(self, request: messages.ActionRequested) -> None:
        """Carry out in a thread what a person asked for."""
        if self.session.project is not None:
            self.session.request_pending = True
            self.refresh_screens()
            self.perform_in_thread(request, self.session.project)

    @work(thread=True, group="requests", exit_on_error=False)
    def perform_in_thread(self, request: messages.ActionRequested, project: Project) -> None:
        self.post_message(outcome_of(request, project))

    @on(messages.ActionFinished)
    def action_finished(self, event: messages.ActionFinished) -> None:
        self.session.request_pending = False
        self.refresh_screens()
        if event.text:
            notify(self, event.text, "information" if event.succeeded else "error")
        if event.quit and event.succeeded:
            self.exit(message=Text(text.visible(event.text)))
        else:
            self.tick()

    @on(messages.RecordChosen)
    @work(group="show")
    async def record_chosen(self, event: messages.RecordChosen) -> None:
        from tui.screens.samples import Samples

        await self.switch_mode("samples")
        if isinstance(self.screen, Samples):
            self.screen.go_to(event.shard, event.i)

    @on(messages.RecordsChosen)
    @work(group="show")
    async def records_chosen(self, event: messages.RecordsChosen) -> None:
        from tui.screens.samples import Samples

        mode = self.current_mode
        await self.switch_mode("samples")
        if isinstance(self.screen, Samples):
            self.screen.go_through(event, mode)

    # Keys

    def on_key(self, event: Key) -> None:
        """Show why a key cannot work now. Textual calls this before it looks at the bindings."""
        from tui.dialogs.deferred_dialog import DeferredDialog

        self.tell_absence(self.presence.on_key())
        if isinstance(self.screen, DeferredDialog):
            self.screen.store_key(event)
        active = self.screen.active_bindings.get(event.key)
        if active is not None and not active.enabled and (reason := reason_disabled(active)):
            message = f"{active.binding.description}: {reason}"
            self.notify(text.visible(message), severity="warning", timeout=3, markup=False)

    def action_start(self) -> None:
        self.perform(messages.ActionRequested(actions.start))

    def action_pause(self) -> None:
        from engine.requests.kinds import Pause

        self.post_message(messages.ActionRequested(partial(actions.send_request, request=Pause())))

    def action_resume(self) -> None:
        self.perform(messages.ActionRequested(actions.resume))

    def action_undo(self) -> None:
        self.perform(messages.ActionRequested(actions.undo))

    def action_open(self, dialog: str) -> None:
        dialog_actions.OPENERS[dialog](self, self.session)

    async def action_quit(self) -> None:
        dialog_actions.quit_or_ask(self, self.session)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Yield the commands of the palette that no key has."""
        yield SystemCommand(
            "Theme", "Choose the colours: dark or light mode", self.action_change_theme
        )
        yield SystemCommand("Screenshot", "Write this screen as an SVG image", self.take_screenshot)

    def take_screenshot(self) -> None:
        self.set_timer(SCREENSHOT_SECONDS, self.deliver_screenshot)
