"""The actions of the Samples screen."""

from __future__ import annotations

from dataclasses import dataclass

from tui.keys import conditions
from tui.keys.action import Action
from tui.keys.screen import ScreenState, enlarge_action


@dataclass(frozen=True, kw_only=True)
class SamplesState(ScreenState):
    """What the Samples screen shows now."""

    has_record: bool = False
    """True if a record is under the cursor."""
    has_caption: bool = False
    """True if a model has captioned it."""
    matches: int = 0
    """The number of records that a search has found."""
    flags: int = 0
    """The number of records that are flagged, or have a bad caption."""


def opened(state: SamplesState) -> str | None:
    return conditions.snapshot(state.session)


def a_match(state: SamplesState) -> str | None:
    return None if state.matches else "nothing was searched, or found"


def a_record(state: SamplesState) -> str | None:
    return None if state.has_record else "there is no caption yet"


def a_caption(state: SamplesState) -> str | None:
    return None if state.has_caption else "no model has captioned the record yet"


def a_flag(state: SamplesState) -> str | None:
    return None if state.flags else "no record is flagged"


SAMPLES_ACTIONS: tuple[Action[SamplesState], ...] = (
    Action(
        "l",
        "live",
        "Live",
        tooltip="Follow the newest caption",
        id="samples.live",
        synonyms="newest latest follow tail watch",
    ),
    Action(
        "slash",
        "search",
        "Search",
        tooltip="Search all captions",
        id="samples.search",
        synonyms="find captions text words mention grep filter query dog loops refusals duplicates",
    ),
    Action(
        "n",
        "match(1)",
        "Next",
        show=False,
        tooltip="Next match",
        id="samples.next_match",
        synonyms="search find found",
        needs=(a_match,),
    ),
    Action(
        "N",
        "match(-1)",
        "Last",
        show=False,
        tooltip="Previous match",
        id="samples.last_match",
        synonyms="search find found previous",
        needs=(a_match,),
    ),
    Action(
        "J",
        "jump",
        "Jump",
        tooltip="Go to a record",
        id="samples.jump",
        synonyms="find search record image path number key id",
    ),
    Action(
        "r",
        "random",
        "Random",
        show=False,
        tooltip="Go to a random record",
        id="samples.random",
        synonyms="draw lucky surprise sample shuffle record image",
        needs=(opened,),
    ),
    Action(
        "s",
        "sort",
        "Sort",
        show=False,
        tooltip="Sort by the next column",
        id="samples.sort",
        synonyms="order column image path time",
    ),
    Action(
        "S",
        "reverse",
        "Reverse",
        show=False,
        tooltip="Reverse the sort",
        id="samples.reverse",
        synonyms="order descending ascending sort",
    ),
    Action(
        "m",
        "model",
        "Model",
        tooltip="Choose the previous model",
        id="samples.model",
        synonyms="compare reference choose switch",
    ),
    Action(
        "d",
        "diff",
        "Diff",
        tooltip="Toggle word differences",
        id="samples.diff",
        synonyms="difference compare changes highlight",
        needs=(a_record,),
    ),
    Action(
        "b",
        "show",
        "Show",
        show=False,
        tooltip="Raw, sheared or both",
        id="samples.show",
        synonyms="raw full text shearing sheared",
    ),
    Action(
        "f",
        "flag",
        "Flag",
        tooltip="Flag the record for later",
        id="samples.flag",
        synonyms="mark bookmark remember bad good judge star",
        changes_run=True,
        needs=(a_record,),
    ),
    Action(
        "plus",
        "rate(True)",
        "Good",
        tooltip="Rate the caption good",
        id="samples.good",
        synonyms="rate rating judge like right correct thumbs up caption",
        changes_run=True,
        needs=(a_caption,),
    ),
    Action(
        "minus,w",
        "rate(False)",
        "Bad",
        tooltip="Rate the caption bad",
        id="samples.bad",
        synonyms="rate rating judge wrong mark incorrect false hallucination dislike thumbs down"
        " caption",
        changes_run=True,
        needs=(a_caption,),
    ),
    Action(
        "F",
        "next_flag",
        "Next flag",
        show=False,
        tooltip="Go to the next flag",
        id="samples.next_flag",
        synonyms="flagged marked bookmark find list",
        needs=(a_flag,),
    ),
    Action(
        "t",
        "grid",
        "Grid",
        tooltip="Toggle the grid of pictures",
        id="samples.grid",
        synonyms="thumbnails tiles gallery overview photos",
        needs=(a_record,),
    ),
    enlarge_action("samples", needs=(a_record,)),
    Action(
        "i",
        "image",
        "Image",
        show=False,
        tooltip="Toggle the image",
        id="samples.image",
        synonyms="hide picture photo thumbnail preview",
    ),
    Action(
        "o",
        "open_file",
        "Open",
        show=False,
        tooltip="Open the file",
        id="samples.open",
        synonyms="image picture viewer path original",
        needs=(a_record,),
    ),
    Action(
        "escape",
        "back",
        "Back",
        show=False,
        tooltip="Cancel, or back",
        id="samples.back",
    ),
)
