from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from textual.containers import VerticalScroll
from textual.message import Message
from textual.widgets import Input, Static

from tui.formatting import text
from tui.viewmodel.new_project import Draft
from tui.widgets.path_complete import PathComplete

REST_SECONDS = 0.25
"""Whatever is typed is looked at when the typing rests."""


class Step(VerticalScroll, can_focus=False):
    """A page of the wizard: keeps what is entered in the draft."""

    NAME: ClassVar[str] = ""
    PATHS: ClassVar[tuple[str, ...]] = ()
    """Ids of the fields that take a path, each with completion."""
    FOLDERS: ClassVar[tuple[str, ...]] = ()
    """Those of them that take a folder."""

    class Changed(Message):
        """Whether one can go on may have changed."""

    def __init__(self, draft: Draft) -> None:
        super().__init__(id=self.NAME.lower())
        self.draft = draft
        self.timer: Any = None

    def on_mount(self) -> None:
        for field in self.query(Input):
            field.cursor_blink = False
        for name in self.PATHS:
            for field in self.query(f"#{name}").results(Input):
                self.mount(PathComplete(field, folders=name in self.FOLDERS))

    async def enter(self) -> None:
        """Called when the page is shown."""

    @property
    def looking(self) -> bool:
        """Whether what was entered is still being looked at."""
        return False

    def why_not(self) -> str | None:
        """Why one cannot go on, None if one can."""
        return None

    def soon(self, look: Callable[[], Any]) -> None:
        if self.timer is not None:
            self.timer.stop()
        self.timer = self.set_timer(REST_SECONDS, look)

    def say(self, selector: str, said: str, bad: bool = False) -> None:
        label = self.query_one(selector, Static)
        label.update(text.visible(said) if "\n" not in said else lines(said))
        label.set_class(bad, "error")


def lines(said: str) -> str:
    return "\n".join(map(text.visible, said.split("\n")))
