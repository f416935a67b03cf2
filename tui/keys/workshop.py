"""The actions of the prompt workshop."""

from __future__ import annotations

from dataclasses import dataclass

from tui.keys import conditions
from tui.keys.action import Action
from tui.session.session import Session


@dataclass(frozen=True)
class WorkshopState:
    """What decides what can be done now."""

    session: Session
    tried: bool
    """True if the prompt as it is typed was tried, to the end."""
    is_new: bool
    """True if it is another prompt than the model's own."""
    has_caption: bool
    """True if the caption of the chosen image is there."""


def no_run(state: WorkshopState) -> str | None:
    return conditions.no_run(state.session)


def a_new_prompt(state: WorkshopState) -> str | None:
    return None if state.is_new else "it is the model's own prompt"


def a_tried_prompt(state: WorkshopState) -> str | None:
    return None if state.tried else "try the prompt first (enter)"


def a_caption(state: WorkshopState) -> str | None:
    return None if state.has_caption else "there is no caption yet"


TAKE = Action[WorkshopState](
    "ctrl+n",
    "take",
    "Take",
    tooltip="Take this prompt for the run",
    id="workshop.take",
    changes_run=True,
    needs=(no_run, a_new_prompt, a_tried_prompt),
)
WORKSHOP_ACTIONS: tuple[Action[WorkshopState], ...] = (
    TAKE,
    Action(
        "plus",
        "rate(True)",
        "Good",
        tooltip="Rate the caption good",
        id="workshop.good",
        changes_run=True,
        in_palette=False,
        needs=(a_caption,),
    ),
    Action(
        "minus",
        "rate(False)",
        "Bad",
        tooltip="Rate the caption bad",
        id="workshop.bad",
        changes_run=True,
        in_palette=False,
        needs=(a_caption,),
    ),
)
