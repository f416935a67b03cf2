"""The base class of the wizard's pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from textual.containers import VerticalScroll
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Input, Static

from tui.formatting import text
from tui.terminal.graphics import ImageSupport
from tui.viewmodel.new_project import ProjectDraft
from tui.widgets.path_complete import PathComplete

REST_SECONDS = 0.25
"""Seconds without typing after which what was typed is checked."""


class WizardStep(VerticalScroll, can_focus=False):
    """A page of the wizard, which writes what is entered into the draft.

    Some pages check what is entered in a thread: `checking` is True meanwhile.
    """

    NAME: ClassVar[str] = ""
    """The page's name in the list of steps; in lower case its id."""
    PATHS: ClassVar[tuple[str, ...]] = ()
    """The ids of the fields that take a path; these offer completions."""
    FOLDERS: ClassVar[tuple[str, ...]] = ()
    """The ids of the fields that take a folder."""

    image_support: ImageSupport
    """How pictures are drawn; the wizard sets it."""

    class Changed(Message):
        """The page was changed or checked, so that `why_not` may have another answer."""

    def __init__(self, draft: ProjectDraft) -> None:
        super().__init__(id=self.NAME.lower())
        self.draft = draft
        self.check_timer: Timer | None = None
        """Starts the check once the typing rests."""

    def on_mount(self) -> None:
        for field in self.query(Input):
            field.cursor_blink = False
        for name in self.PATHS:
            for field in self.query(f"#{name}").results(Input):
                self.mount(PathComplete(field, folders_only=name in self.FOLDERS))

    async def enter(self) -> None:
        """Prepare the page. Called whenever it is shown."""

    @property
    def checking(self) -> bool:
        """True while what was entered last is not checked yet."""
        return False

    def why_not(self) -> str | None:
        """Return why the user cannot go on to the next page, None if that is possible."""
        return None

    def complaint(self) -> str | None:
        """Return what to show of `why_not` before the user tries to go on."""
        return self.why_not()

    def question(self) -> str | None:
        """Return what to ask the user before the next page, None if there is nothing to ask."""
        return None

    def check_soon(self, check: Callable[[], Any]) -> None:
        """Call `check` once the typing rests."""
        if self.check_timer is not None:
            self.check_timer.stop()
        self.check_timer = self.set_timer(REST_SECONDS, check)

    def show_message(self, selector: str, message: str, is_error: bool = False) -> None:
        """Show a text of one or more lines in the label that `selector` finds."""
        label = self.query_one(selector, Static)
        label.update(text.visible(message) if "\n" not in message else visible_lines(message))
        label.set_class(is_error, "error")


def visible_lines(message: str) -> str:
    """Return the text with what cannot be shown escaped, except for its line breaks."""
    return "\n".join(map(text.visible, message.split("\n")))
