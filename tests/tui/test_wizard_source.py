"""How the wizard's first page has captions read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from textual.widgets import Input

from engine.datasets.inputs.read_options import ReadOptions
from tests.support.pictures import make_captions
from tests.tui.conftest import label_text, open_wizard, press, until
from tui.app import MllmaugApp
from tui.dialogs.wizard.source import names_of


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", {}),
        (" , ", {}),
        ("photo", {"image_column": "photo"}),
        ("photo, alt text", {"image_column": "photo", "caption_column": "alt text"}),
        (", alt", {"caption_column": "alt"}),
    ],
)
def test_names_of(text: str, names: dict[str, str]) -> None:
    assert names_of(text) == names


async def test_keys_and_ticks_change_how_captions_are_read(tmp_path: Path) -> None:
    captions = make_captions(tmp_path / "data", 2)
    records = json.loads(captions.read_text())
    values = [{"photo": record["image"], "alt": ["one", "two"]} for record in records]
    captions.write_text(json.dumps(values))
    app = MllmaugApp(None)
    async with app.run_test(size=(100, 40)) as pilot:
        wizard = await open_wizard(pilot)
        wizard.query_one("#captions", Input).value = str(captions)
        await until(pilot, lambda: "its keys are 'photo', 'alt'" in label_text(app, "#source-seen"))
        wizard.query_one("#keys", Input).value = "photo, alt"
        await until(pilot, lambda: "2 records; 2 of" in label_text(app, "#source-seen"))
        wizard.query_one("#keys", Input).focus()
        await press(pilot, "tab", "space", "tab", "space")
        await until(pilot, lambda: "4 records; 4 of" in label_text(app, "#source-seen"))
        assert wizard.draft.options == ReadOptions(
            image_column="photo", caption_column="alt", quoting="none", several_captions="each"
        )


async def test_nothing_is_wrong_before_anything_is_typed() -> None:
    app = MllmaugApp(None)
    async with app.run_test(size=(80, 24)) as pilot:
        wizard = await open_wizard(pilot)
        await until(pilot, lambda: not wizard.step.checking)
        assert label_text(app, "#source-seen") == label_text(app, "#why-not") == ""
        await press(pilot, "ctrl+n")
        assert wizard.step_index == 0
        assert label_text(app, "#why-not") == "name a caption file"
        wizard.query_one("#captions", Input).value = "none.json"
        await until(pilot, lambda: "none.json" in label_text(app, "#why-not"))


async def test_tab_goes_to_the_next_field_and_enter_completes(tmp_path: Path) -> None:
    make_captions(tmp_path / "data", 2)
    app = MllmaugApp(None)
    async with app.run_test(size=(100, 40)) as pilot:
        wizard = await open_wizard(pilot)
        captions = wizard.query_one("#captions", Input)
        await press(pilot, tuple("dat"), "enter")
        assert captions.value == "data/"
        await press(pilot, "down", "tab")
        assert captions.value == "data/"
        assert app.focused is wizard.query_one("#root", Input)
