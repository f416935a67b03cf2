"""How far a model is with what a person asked for again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.formatting import text

if TYPE_CHECKING:
    from tui.viewmodel.snapshot import ModelProgress


def retry_line(model: ModelProgress) -> str | None:
    """Return how many of the images were captioned again, which count as not done until then.

    None if nothing was asked for again, or if all of it is done.
    """
    if not model.asked:
        return None
    done = max(0, model.asked - model.asked_left)
    asked = text.plural(model.asked, "image")
    return f"again: {text.number(done)} of {asked} {text.percent(done / model.asked)}"
