"""The actions of the pilot."""

from __future__ import annotations

from dataclasses import dataclass

from tui.keys.action import Action
from tui.session.session import Session


@dataclass(frozen=True)
class PilotState:
    """What decides what can be done now."""

    session: Session
    has_caption: bool
    """True if the chosen model captioned the image."""
    busy: bool
    """True while a model is tried."""


def a_project(state: PilotState) -> str | None:
    return None if state.session.project is not None else "the project is not made yet"


def a_caption(state: PilotState) -> str | None:
    return None if state.has_caption else "there is no caption yet"


def a_free_device(state: PilotState) -> str | None:
    return "the pilot has the device" if state.busy else None


PILOT_ACTIONS: tuple[Action[PilotState], ...] = (
    Action(
        "plus",
        "rate(True)",
        "Good",
        tooltip="Rate the caption good",
        id="pilot.good",
        changes_run=True,
        in_palette=False,
        needs=(a_caption,),
    ),
    Action(
        "minus",
        "rate(False)",
        "Bad",
        tooltip="Rate the caption bad",
        id="pilot.bad",
        changes_run=True,
        in_palette=False,
        needs=(a_caption,),
    ),
    Action(
        "w",
        "prompts",
        "Prompts",
        tooltip="Try prompts of the model",
        id="pilot.prompts",
        needs=(a_project, a_free_device),
    ),
)
