"""How far a model is with what a person asked for again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.formatting import text

if TYPE_CHECKING:
    from tui.viewmodel.snapshot import ModelProgress


def retry_line(model: ModelProgress) -> str | None:
    """Return how many of the images that were asked for again are left; they count as not done.

    None if nothing was asked for again, or if all of it is done. How many were asked for in all is
    not known: tasks that are done again are counted no more.
    """
    left = min(model.asked, model.asked_left)
    return f"again: {text.plural(left, 'image')} left" if left else None
