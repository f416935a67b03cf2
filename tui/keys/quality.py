"""The actions of the Quality screen."""

from __future__ import annotations

from dataclasses import dataclass

from tui.keys.action import Action
from tui.keys.screen import ScreenState


@dataclass(frozen=True, kw_only=True)
class QualityState(ScreenState):
    """What the Quality screen shows now."""

    counting: bool = False
    """True while captions are counted."""
    searching: bool = False
    """True while the worst captions are searched."""
    found: int = 0
    """The captions with the chosen defect."""


def no_count(state: QualityState) -> str | None:
    return "captions are being counted (esc cancels)" if state.counting else None


def no_search(state: QualityState) -> str | None:
    return "the worst captions are being searched (esc cancels)" if state.searching else None


def an_opened_project(state: QualityState) -> str | None:
    return None if state.session.snapshot is not None else "the project is still being opened"


def captions_with_it(state: QualityState) -> str | None:
    return None if state.found else "no caption has this defect"


QUALITY_ACTIONS: tuple[Action[QualityState], ...] = (
    Action(
        "a",
        "count",
        "Count",
        tooltip="Count what is new",
        id="quality.count",
        synonyms="compute measure check refresh captions statistics analyse",
        needs=(an_opened_project, no_count),
    ),
    Action(
        "o",
        "show",
        "Show",
        tooltip="Show the worst in Samples",
        id="quality.show",
        synonyms="bad captions defects loops refusals duplicates find look",
        needs=(no_search, captions_with_it),
    ),
    Action(
        "v",
        "view",
        "View",
        tooltip="Next plot",
        id="quality.view",
        synonyms="chart graph histogram",
    ),
    Action(
        "escape",
        "back",
        "Back",
        show=False,
        tooltip="Cancel counting, then go up",
        id="quality.back",
    ),
)
