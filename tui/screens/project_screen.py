"""What the screens of a project share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, ClassVar, cast

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widget import Widget

from tui.action_rules import CHANGES, READONLY
from tui.formatting.text import describe_error
from tui.widgets.key_bar import KeyBar
from tui.widgets.status_bar import StatusBar

if TYPE_CHECKING:
    from tui.session import Session
    from tui.viewmodel.snapshot import Snapshot


class ProjectScreen(Screen[None]):
    """Status bar, body, footer; shows the app's newest snapshot while it is the current screen.

    `why_not` is the one place that knows what cannot work now: it greys a key and is what Help
    says about it.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "copy(False)", "Copy", False, tooltip="Copy the value", id="screen.copy"),
        Binding("Y", "copy(True)", "Copy row", False, tooltip="Copy the row", id="screen.copy_row"),
        Binding("z", "zoom", "Zoom", False, tooltip="Enlarge the pane, or not", id="screen.zoom"),
    ]

    MODE: ClassVar[str]
    HELP: ClassVar[str] = ""

    off: frozenset[str] = frozenset()

    @property
    def main(self) -> Session:
        return cast("Session", self.app)

    def compose(self) -> ComposeResult:
        yield StatusBar(self.MODE)
        yield from self.body()
        yield KeyBar()

    def body(self) -> Iterable[Widget]:
        raise NotImplementedError

    def on_screen_resume(self) -> None:
        self.refresh_all()

    def refresh_all(self) -> None:
        """Called for every new snapshot while this screen is in front or under a dialog."""
        self.query_one(StatusBar).show(self.main.snapshot, self.main.trouble)
        if self.main.snapshot is not None:
            self.show(self.main.snapshot)
        self.refresh_keys()

    def show(self, snapshot: Snapshot) -> None:
        raise NotImplementedError

    def why_not(self, action: str) -> str | None:
        """Why an action of this screen cannot work now, None if it can."""
        return None

    def reason(self, action: str) -> str | None:
        """Why an action is off, for whatever reason."""
        if not self.children:  # asked about before it is composed
            return None
        if action in CHANGES and self.main.readonly:
            return READONLY
        if action == "zoom" and self.focused is None:
            return "no pane is focused (tab)"
        if action == "copy" and self.copied(False) is None:
            return "there is nothing to copy"
        return self.why_not(action)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return None if self.reason(action) else True

    def copied(self, row: bool) -> str | None:
        """What `y` (the value) or `Y` (the whole row) copies now."""
        return None

    def action_copy(self, row: bool) -> None:
        copied = self.copied(row)
        if copied is not None:
            self.main.copy(copied)

    def action_zoom(self) -> None:
        if self.maximized is not None:
            self.minimize()
        elif self.focused is not None:
            self.maximized = self.focused

    def model_name(self, model_id: int) -> str:
        snapshot = self.main.snapshot
        return (snapshot.model_name(model_id) if snapshot else None) or "?"

    def confirm(self, question: str, kept: str, then: Callable[[], None]) -> None:
        from tui.dialogs.confirm import Confirm

        def answer(yes: bool | None) -> None:
            if yes:
                then()

        self.app.push_screen(Confirm(question, kept), answer)

    @work(thread=True, group="job", exit_on_error=False)
    def tell_of(self, job: Callable[[], str]) -> None:
        """Says the sentence that the job returns, or why it could not be done."""
        try:
            said, severity = job(), "information"
        except Exception as error:
            said, severity = describe_error(error), "error"
        self.app.call_from_thread(self.main.tell, said, severity)

    def refresh_keys(self) -> None:
        """The footer is composed again only when a key became possible or impossible."""
        off = frozenset(
            f"{key} {active.binding.description}"
            for key, active in self.active_bindings.items()
            if not active.enabled
        ) | {self.main.run_label}
        if off != self.off:
            self.off = off
            self.refresh_bindings()
