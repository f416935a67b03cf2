"""Asks why a caption is good or bad."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from textual.app import App

from db.rows import Rating
from tui.dialogs.text_prompt import Ask
from tui.formatting import text

EXAMPLES = {
    True: "such as: exact colours, nothing invented",
    False: "such as: invents a dog, wrong colour, misses the text",
}
"""What people write of good captions, and of bad ones."""


def ask_rating(
    app: App[Any],
    good: bool,
    whose: str,
    before: Rating | None,
    rate: Callable[[Rating | None], None],
) -> None:
    """Ask why the caption of `whose` is good, or bad, and call `rate` with that.

    A caption that is rated so already has its rating taken away, without a question.
    """

    def answer(reason: str | None) -> None:
        if reason is not None:
            rate(Rating(good, reason))

    if before is not None and before.good == good:
        rate(None)
        return
    word = Rating(good, "").word
    hint = f"Why is {text.visible(whose)} {word}? {EXAMPLES[good]}. Enter alone: no reason."
    app.push_screen(Ask(f"Rate as {word}", hint, optional=True), answer)
