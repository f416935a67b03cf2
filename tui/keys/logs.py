"""The actions of the Logs screen."""

from __future__ import annotations

from dataclasses import dataclass

from tui.keys.action import Action
from tui.keys.screen import ScreenState


@dataclass(frozen=True, kw_only=True)
class LogsState(ScreenState):
    """What the Logs screen shows now."""

    matches: int = 0
    """The number of rows that hold what was searched."""


def a_match(state: LogsState) -> str | None:
    return None if state.matches else "nothing was searched, or found"


LOGS_ACTIONS: tuple[Action[LogsState], ...] = (
    Action(
        "f",
        "follow",
        "Follow",
        tooltip="Toggle following the end",
        id="logs.follow",
        synonyms="tail newest latest end watch",
    ),
    Action(
        "L",
        "level",
        "Level",
        tooltip="All, warnings, errors only",
        id="logs.level",
        synonyms="errors warnings filter severity info",
    ),
    Action(
        "right_square_bracket",
        "source(1)",
        "Source",
        tooltip="Next file",
        id="logs.next",
        synonyms="worker device file",
    ),
    Action(
        "left_square_bracket",
        "source(-1)",
        "Source",
        show=False,
        tooltip="Previous file",
        id="logs.last",
        synonyms="worker device file previous",
    ),
    Action("slash", "find", "Find", tooltip="Search", id="logs.find", synonyms="filter text grep"),
    Action(
        "n",
        "match(1)",
        "Next",
        show=False,
        tooltip="Next match",
        id="logs.next_match",
        synonyms="search find",
        needs=(a_match,),
    ),
    Action(
        "N",
        "match(-1)",
        "Last",
        show=False,
        tooltip="Previous match",
        id="logs.last_match",
        synonyms="search find previous",
        needs=(a_match,),
    ),
    Action(
        "w",
        "wrap",
        "Wrap",
        tooltip="Toggle wrapping of long lines",
        id="logs.wrap",
        synonyms="long lines fold",
    ),
    Action("escape", "back", "Back", show=False, tooltip="Forget the search", id="logs.back"),
)
