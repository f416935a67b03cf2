"""The base class of the five screens of an open project."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, ClassVar, cast

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widget import Widget

from tui.action_rules import READONLY_REASON, RUN_CHANGING_ACTIONS
from tui.formatting.text import describe_error
from tui.widgets.key_bar import KeyBar
from tui.widgets.status_bar import StatusBar

if TYPE_CHECKING:
    from tui.session import Session
    from tui.viewmodel.snapshot import Snapshot


class ProjectScreen(Screen[None]):
    """A screen of a status bar, a body and a key bar that shows the newest snapshot.

    The application calls `refresh_all` for each new snapshot while the screen is in front or under
    a dialog. Subclasses yield their widgets in `body`, fill them in `show`, and return in `why_not`
    why an action cannot work now: its key is then greyed, and Help shows the reason.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "copy(False)", "Copy", False, tooltip="Copy the value", id="screen.copy"),
        Binding("Y", "copy(True)", "Copy row", False, tooltip="Copy the row", id="screen.copy_row"),
        Binding("z", "zoom", "Zoom", False, tooltip="Enlarge the pane, or not", id="screen.zoom"),
    ]

    MODE: ClassVar[str]
    """The name of the application's mode that shows this screen."""
    HELP: ClassVar[str] = ""
    """One or two sentences about the screen, shown at the top of Help."""

    def __init__(self) -> None:
        super().__init__()
        self.disabled_keys: frozenset[str] = frozenset()
        """The keys that the footer shows as disabled, and what `p` does now."""

    @property
    def session(self) -> Session:
        """The application: the open project, its newest snapshot and the requests to its run."""
        return cast("Session", self.app)

    def compose(self) -> ComposeResult:
        yield StatusBar(self.MODE)
        yield from self.body()
        yield KeyBar()

    def body(self) -> Iterable[Widget]:
        """Yield the widgets between the status bar and the key bar."""
        raise NotImplementedError

    def on_screen_resume(self) -> None:
        self.refresh_all()

    def refresh_all(self) -> None:
        """Show the newest snapshot, or why there is none. Called for each new snapshot."""
        self.query_one(StatusBar).show(self.session.snapshot, self.session.snapshot_error)
        if self.session.snapshot is not None:
            self.show(self.session.snapshot)
        self.refresh_keys()

    def show(self, snapshot: Snapshot) -> None:
        """Show `snapshot` in the widgets of the body."""
        raise NotImplementedError

    def why_not(self, action: str) -> str | None:
        """Return why an action of this screen cannot work now, None if it can."""
        return None

    def disabled_reason(self, action: str) -> str | None:
        """Return why an action cannot work now for any reason, None if it can."""
        if not self.children:  # Textual checks actions before the screen is composed
            return None
        if action in RUN_CHANGING_ACTIONS and self.session.readonly:
            return READONLY_REASON
        if action == "zoom" and self.focused is None:
            return "no pane is focused (tab)"
        if action == "copy" and self.text_to_copy(False) is None:
            return "there is nothing to copy"
        return self.why_not(action)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return None if self.disabled_reason(action) else True

    def text_to_copy(self, row: bool) -> str | None:
        """Return what `y` copies now, or with `row` what `Y` does; None if there is nothing."""
        return None

    def action_copy(self, row: bool) -> None:
        copied_text = self.text_to_copy(row)
        if copied_text is not None:
            self.session.copy(copied_text)

    def action_zoom(self) -> None:
        if self.maximized is not None:
            self.minimize()
        elif self.focused is not None:
            self.maximized = self.focused

    def model_name(self, model_id: int) -> str:
        """Return the name of a model of the project, `?` if it is not known."""
        snapshot = self.session.snapshot
        return (snapshot.model_name(model_id) if snapshot else None) or "?"

    def confirm(self, question: str, consequence: str, on_yes: Callable[[], None]) -> None:
        """Ask a yes-no question in a dialog, and call `on_yes` if the answer is yes."""
        from tui.dialogs.confirm import Confirm

        def answer(yes: bool | None) -> None:
            if yes:
                on_yes()

        self.app.push_screen(Confirm(question, consequence), answer)

    @work(thread=True, group="job", exit_on_error=False)
    def run_and_notify(self, job: Callable[[], str]) -> None:
        """Run `job` in a thread, and notify the user of the sentence it returns or of its error."""
        try:
            message, severity = job(), "information"
        except Exception as error:
            message, severity = describe_error(error), "error"
        self.app.call_from_thread(self.session.notify_plain, message, severity)

    def refresh_keys(self) -> None:
        """Update the footer if any action has become possible or impossible."""
        disabled_keys = frozenset(
            f"{key} {active.binding.description}"
            for key, active in self.active_bindings.items()
            if not active.enabled
        ) | {self.session.run_key_action}
        if disabled_keys != self.disabled_keys:
            self.disabled_keys = disabled_keys
            self.refresh_bindings()
