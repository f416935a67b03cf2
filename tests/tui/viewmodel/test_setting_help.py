"""What the settings dialogs say of a setting."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.captioners.registry import FAMILIES
from engine.captioners.setting_changes import CHOICES, PARSERS, parse_value
from engine.utils.errors import BadInput
from tests.tui.keys.states import MODEL, progress
from tui.viewmodel.setting_help import HELP, consequence, default_of, help_lines


def test_every_setting_is_explained_and_its_choices_are_those_of_its_parser() -> None:
    assert HELP.keys() == {"checkpoint", *PARSERS}
    for name, choices in CHOICES.items():
        assert all(parse_value(name, choice) is not None for choice in choices)
        with pytest.raises(BadInput):
            parse_value(name, "something else")
    for family in FAMILIES.values():
        assert all(default_of(family.name, name) is not None for name in family.setting_names)


def test_what_follows_from_a_change() -> None:
    model = replace(progress(MODEL, 700), total=1_380_000)
    said = consequence(model, "seed", 0.125, 8)
    assert said.startswith(
        "A change captions 1,380,000 images again, about 5h59m on 8 devices; the"
    )
    assert f"the 700 captions of now stay in captions/{MODEL.folder}" in said
    assert "about" not in consequence(model, "seed", None, 8)
    assert consequence(model, "batch", 0.125, 8).startswith("A change keeps all captions")
    assert "nothing" in consequence(replace(model, captioned=0), "seed", 0.125, 8)
    lines = help_lines(model, "temperature", {}, 1)
    assert "a number from 0 up" in lines[2]
    assert "default: " in lines[2]
