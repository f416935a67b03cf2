"""The list to choose from in a dialog that closes while it opens."""

from __future__ import annotations

import pytest
from textual.app import App, ComposeResult
from textual.css.query import NoMatches
from textual.events import Mount
from textual.widgets import Select

from tui.widgets.choice import Choice


class Form(App[None]):
    """Two lists, of which one is ours."""

    def compose(self) -> ComposeResult:
        yield Choice([("one", 1), ("two", 2)], allow_blank=False)
        yield Select([("one", 1), ("two", 2)], allow_blank=False, id="plain")


async def test_a_list_whose_parts_are_gone_ends_nothing() -> None:
    app = Form()
    async with app.run_test() as pilot:
        choice, plain = app.query_one(Choice), app.query_one("#plain", Select)
        assert choice.value == 1
        for field in (choice, plain):
            await field.query("*").remove()
        await choice._dispatch_message(Mount())
        with pytest.raises(NoMatches):  # what Textual does
            await plain._dispatch_message(Mount())
        await pilot.pause()
