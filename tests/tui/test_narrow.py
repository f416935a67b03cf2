"""Screens and dialogs in the narrowest terminal: nothing that is used lies outside of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Button, Input, OptionList, Select

from db import supervisor_writes
from db.connection import writing
from tests.support import canned_projects
from tests.tui.conftest import press, ready, settle, until
from tui.app import MllmaugApp
from tui.dialogs.dialog import Dialog
from tui.screens.too_small import HEIGHT, WIDTH
from tui.widgets.tables.table import GUTTER, VirtualTable

pytestmark = pytest.mark.asyncio
USED = (Button, Input, Select, OptionList, VirtualTable)
"""What a person uses in a dialog."""
DIALOGS = (
    *(("c",), ("h",), ("O",), ("u",), ("H",), ("M",), ("M", "enter"), ("M", "a"), ("comma",)),
    *(("e",), ("question_mark",), ("2", "b"), ("2", "r"), ("4", "w")),
)
"""The keys that open each dialog from any screen."""


async def test_screens_and_dialogs_fit(tmp_path: Path) -> None:
    project = canned_projects.copy_canned_project(tmp_path / "p", "busy")
    with writing(project.database) as connection:
        supervisor_writes.forget_supervisor(connection)
    app = MllmaugApp(project.folder)
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        await ready(pilot)
        for keys in DIALOGS:
            await press(pilot, "1", *keys)
            await until(pilot, lambda: isinstance(app.screen, Dialog))
            await settle(pilot)
            dialog = app.screen
            frame = dialog.query_one(".dialog").region
            assert 0 <= frame.x < frame.right <= WIDTH, keys
            for widget in dialog.query("*"):
                if isinstance(widget, USED) and widget.region:
                    assert frame.x < widget.region.x < widget.region.right < frame.right, (
                        f"{widget} of {dialog}"
                    )
            await press(pilot, "escape")
            await until(pilot, lambda: not isinstance(app.screen, Dialog))
        # Quality comes last: it finds that the project's shards are not there.
        for key in "123456":
            await press(pilot, key)
            for table in app.screen.query(VirtualTable):
                assert_columns_fit(table)


def assert_columns_fit(table: VirtualTable[object]) -> None:
    width = table.scrollable_content_region.width
    laid_out = table.layout_columns(width)
    assert sum(cells + 1 for _, cells in laid_out) + GUTTER <= width, f"{table} of {width}"
