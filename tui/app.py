"""The application: its modes, the keys that work on every screen, and its dialogs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on, work
from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.events import Key, Resize
from textual.geometry import Size
from textual.screen import Screen

from tui import dialog_actions
from tui.formatting import text
from tui.screens.too_small import HEIGHT, WIDTH, TooSmall
from tui.session import Session
from tui.viewmodel import actions

if TYPE_CHECKING:
    from textual.command import Provider


STYLES: list[str | PurePath] = sorted(Path(__file__).parent.rglob("*.tcss"))
"""The style sheets of the application and of all its screens, dialogs and widgets."""
TICK_SECONDS = 1.0
"""Seconds between two reads of the snapshot."""
PRELOAD_SECONDS = 1.0
"""Seconds until screens and dialogs are imported in advance: the first figures come first."""

# Screens are imported when they are first opened.


def create_dashboard() -> Screen[None]:
    from tui.screens.dashboard import Dashboard

    return Dashboard()


def create_shards() -> Screen[None]:
    from tui.screens.shards import Shards

    return Shards()


def create_samples() -> Screen[None]:
    from tui.screens.samples import Samples

    return Samples()


def create_failures() -> Screen[None]:
    from tui.screens.failures import Failures

    return Failures()


def create_logs() -> Screen[None]:
    from tui.screens.logs import Logs

    return Logs()


def command_provider() -> type[Provider]:
    from tui.command_palette import BindingCommands

    return BindingCommands


class MllmaugApp(Session):
    """The application: opening it starts no work, closing it stops none.

    `run` returns the folder of the project to open next, None to end.
    """

    TITLE = "mllmaug-tui"
    # All style sheets at once: for a screen with a CSS_PATH of its own, Textual parses all of them
    # again when the screen opens.
    CSS_PATH = STYLES
    MODES: ClassVar[dict[str, str | Callable[[], Screen[Any]]]] = {
        "dashboard": create_dashboard,
        "shards": create_shards,
        "samples": create_samples,
        "failures": create_failures,
        "logs": create_logs,
    }
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]  # noqa: RUF012
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {command_provider}
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

    colours: dict[str, str] | None = None
    """The CSS variables with which the style sheets were last applied."""

    async def on_mount(self) -> None:
        self.apply_settings()
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

    def apply_settings(self) -> None:
        from tui.config.themes import COLOUR_BLIND_THEMES

        for theme in COLOUR_BLIND_THEMES:
            self.register_theme(theme)
        if self.settings.theme in self.available_themes:
            self.theme = str(self.settings.theme)
        elif self.settings.theme is not None:
            self.notify_plain(f"there is no theme {self.settings.theme!r}", "warning")
        self.set_keymap(dict(self.settings.keys))

    def refresh_css(self, animate: bool = True) -> None:
        # Textual applies every rule again for each new screen; only another theme needs that.
        colours = self.get_css_variables()
        if colours != self.colours:
            self.colours = colours
            super().refresh_css(animate)

    @on(Resize)
    def resized(self) -> None:
        if self.opened:  # later, so that of several in a row the last size counts
            self.call_later(lambda: self.check_size(self.size))

    def check_size(self, size: Size) -> None:
        """Cover the screen while the terminal is too small for it."""
        small = size.width < WIDTH or size.height < HEIGHT
        if small and not isinstance(self.screen, TooSmall):
            self.push_screen(TooSmall())
        elif not small and isinstance(self.screen, TooSmall):
            self.pop_screen()

    @work(thread=True, group="preload", exit_on_error=False)
    def preload(self) -> None:
        from tui.preload import preload

        preload()

    # Showing the snapshot

    def refresh_screens(self) -> None:
        from tui.screens.project_screen import ProjectScreen

        for screen in self.screen_stack:
            if isinstance(screen, ProjectScreen) and screen.is_mounted:
                screen.refresh_all()

    # Which actions can work now

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("start", "pause", "resume") and action != self.run_key_action:
            return False
        return None if self.why_not(action) else True

    def on_key(self, event: Key) -> None:
        """Show why a key cannot work now. Textual calls this before it looks at the bindings."""
        from tui.dialogs.deferred_dialog import DeferredDialog
        from tui.dialogs.help import disabled_reason

        if isinstance(self.screen, DeferredDialog):
            self.screen.store_key(event)
        active = self.screen.active_bindings.get(event.key)
        if active is not None and not active.enabled:
            action = active.binding.action.removeprefix("app.").partition("(")[0]
            reason = disabled_reason(active.node, action)
            if reason:
                message = f"{active.binding.description}: {reason}"
                self.notify(text.visible(message), severity="warning", timeout=3, markup=False)

    # Requests to the run

    def action_pause(self) -> None:
        self.send_request("pause")

    def action_resume(self) -> None:
        self.perform(actions.resume)

    @work(group="show")
    async def show_record(self, shard: int, i: int) -> None:
        from tui.screens.samples import Samples

        await self.switch_mode("samples")
        if isinstance(self.screen, Samples):
            self.screen.go_to(shard, i)

    # Dialogs

    def action_help(self) -> None:
        dialog_actions.open_help(self)

    def action_export(self) -> None:
        dialog_actions.open_export(self)

    def action_coverage(self) -> None:
        dialog_actions.open_coverage(self)

    def action_lengths(self) -> None:
        dialog_actions.open_lengths(self)

    def action_models(self) -> None:
        dialog_actions.open_models(self)

    def action_reshear(self) -> None:
        dialog_actions.open_reshear(self)

    def action_doctor(self) -> None:
        dialog_actions.open_doctor(self)

    def action_start_on(self) -> None:
        dialog_actions.open_device_prompt(self)

    def action_new(self) -> None:
        dialog_actions.open_wizard(self)

    def action_pilot(self) -> None:
        dialog_actions.open_pilot(self)

    async def action_quit(self) -> None:
        dialog_actions.quit_or_ask(self)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Yield those commands of Textual that make sense here; ours come from the bindings."""
        for command in super().get_system_commands(screen):
            if command.title in ("Theme", "Maximize", "Minimize", "Screenshot"):
                yield command
