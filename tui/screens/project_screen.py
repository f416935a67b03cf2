"""The base class of the six screens of an open project."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen
from textual.widget import Widget

from tui.formatting.text import describe_error
from tui.keys.action import ActionOwner
from tui.keys.screen import SCREEN_ACTIONS, ScreenState
from tui.session.feedback import copy, notify
from tui.session.messages import ActionRequested
from tui.viewmodel import actions
from tui.widgets.key_bar import KeyBar
from tui.widgets.status_bar import StatusBar

if TYPE_CHECKING:
    from engine.project.layout import Project
    from engine.requests.kinds import Request
    from tui.session.session import Session
    from tui.viewmodel.snapshot import Snapshot


class ProjectScreen(ActionOwner, Screen[None]):
    """A screen of a status bar, a body and a key bar that shows the newest snapshot.

    The application calls `refresh_all` for each new snapshot while the screen is in front or under
    a dialog. Subclasses yield their widgets in `body`, fill them in `show`, and take their actions
    from a module of the same name in `tui.keys`, whose conditions look at their `action_state`.
    """

    BINDINGS: ClassVar[list[BindingType]] = [*SCREEN_ACTIONS]

    MODE: ClassVar[str]
    """The name of the application's mode that shows this screen."""
    HELP: ClassVar[str] = ""
    """One or two sentences about the screen, shown at the top of Help."""

    def __init__(self, session: Session, project: Project) -> None:
        super().__init__()
        self.session = session
        self.project = project
        self.shown_keys: frozenset[tuple[str, str, bool]] = frozenset()
        """Key, label and whether it can work of every action, as the key bar shows them."""

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

    # Keys

    def action_state(self) -> ScreenState:
        """Return what the conditions of this screen's actions look at."""
        return ScreenState(
            session=self.session,
            has_focus=self.focused is not None,
            value_to_copy=self.text_to_copy(False),
        )

    def why_not(self, name: str, parameters: tuple[object, ...] = ()) -> str | None:
        if not self.children:  # Textual checks actions before the screen is composed
            return None
        return super().why_not(name, parameters)

    def refresh_keys(self) -> None:
        """Update the key bar if any action has become possible, impossible or another one."""
        shown_keys = frozenset(
            (key, active.binding.description, active.enabled)
            for key, active in self.active_bindings.items()
        )
        if shown_keys != self.shown_keys:
            self.shown_keys = shown_keys
            self.refresh_bindings()

    def text_to_copy(self, row: bool) -> str | None:
        """Return what `y` copies now, or with `row` what `Y` does; None if there is nothing."""
        return None

    def action_copy(self, row: bool) -> None:
        copied_text = self.text_to_copy(row)
        if copied_text is not None:
            copy(self.app, copied_text)

    def action_zoom(self) -> None:
        if self.maximized is not None:
            self.minimize()
        elif self.focused is not None:
            self.maximized = self.focused

    # What subclasses share

    def model_name(self, model_id: int) -> str:
        """Return the name of a model of the project, `?` if it is not known."""
        snapshot = self.session.snapshot
        return (snapshot.model_name(model_id) if snapshot else None) or "?"

    def perform(self, action: Callable[[Project], str]) -> None:
        """Have a function of `tui.viewmodel.actions` called in a thread, and its text shown."""
        self.post_message(ActionRequested(action))

    def send_request(self, request: Request) -> None:
        """Send a request to the run."""
        self.perform(lambda project: actions.send_request(project, request))

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
            self.app.call_from_thread(notify, self.app, job())
        except Exception as error:
            self.app.call_from_thread(notify, self.app, describe_error(error), "error")
