"""The actions of all six screens, and the state that the conditions of a screen look at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tui.keys.action import Action
from tui.session.session import Session


@dataclass(frozen=True, kw_only=True)
class ScreenState:
    """What a screen shows now, for the conditions of its actions."""

    session: Session
    has_focus: bool = False
    """True if a pane has the focus."""
    value_to_copy: str | None = None
    """What `y` copies; None if there is nothing."""


def a_focus(state: ScreenState) -> str | None:
    return None if state.has_focus else "no pane is focused (tab)"


def something_to_copy(state: ScreenState) -> str | None:
    return "there is nothing to copy" if state.value_to_copy is None else None


SCREEN_ACTIONS: tuple[Action[ScreenState], ...] = (
    Action(
        "y",
        "copy(False)",
        "Copy",
        show=False,
        tooltip="Copy the value",
        id="screen.copy",
        synonyms="clipboard yank text caption path",
        needs=(something_to_copy,),
    ),
    Action(
        "Y",
        "copy(True)",
        "Copy row",
        show=False,
        tooltip="Copy the row",
        id="screen.copy_row",
        synonyms="clipboard yank command line",
        needs=(something_to_copy,),
    ),
    Action(
        "z",
        "zoom",
        "Zoom",
        show=False,
        tooltip="Toggle zoom of the pane",
        id="screen.zoom",
        synonyms="enlarge maximize bigger full pane",
        needs=(a_focus,),
    ),
)


def enlarge_action(screen: str, needs: tuple[Callable[[Any], str | None], ...] = ()) -> Action[Any]:
    """Return the action that shows a screen's picture on the whole screen, and puts it back."""
    return Action(
        "Z",
        "enlarge",
        "Picture",
        show=False,
        tooltip="Picture on the whole screen",
        id=f"{screen}.enlarge",
        synonyms="thumbnail image photo bigger large zoom full view see",
        needs=needs,
    )
