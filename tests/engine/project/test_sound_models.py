"""Models of a received project: what of them this program would not have made."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.rows import ModelRow
from engine.captioners.registry import FAMILIES, Settings, choose
from engine.project.sound_models import check_model, check_models

MODEL = ModelRow(
    id=1,
    position=1,
    name="mine",
    family="dry-run",
    checkpoint=None,
    settings={},
    settings_hash="0123abcd",
)


def test_what_is_chosen_is_sound() -> None:
    choices = [choose("dry-run"), choose("served=http://localhost:8000/v1")]
    check_models(
        replace(
            MODEL,
            name=choice.name,
            family=choice.family,
            checkpoint=choice.checkpoint,
            settings=choice.settings,
            settings_hash=choice.settings_hash,
        )
        for choice in choices
    )


def test_every_preset_is_sound() -> None:
    for family in FAMILIES.values():
        checkpoint = "/models/x" if family.checkpoint_form else None
        checkpoint = "http://host/v1" if family.remote else checkpoint
        for settings in family.presets.values():
            check_model(
                replace(MODEL, family=family.name, checkpoint=checkpoint, settings=asdict(settings))
            )


def test_settings_of_other_versions_are_passed_over() -> None:
    check_model(replace(MODEL, settings={"of a later version": [1], "batch": 3}))


@pytest.mark.parametrize("field", ["name", "settings_hash"])
@pytest.mark.parametrize(
    "value", ["", ".", "..", "a/b", "/a", "../a", "a\0", "a\n", "\u0430", "a b", "-a", "a" * 65]
)
def test_a_name_that_is_no_folder_of_its_own(field: str, value: str) -> None:
    changes: dict[str, Any] = {field: value}
    with pytest.raises(ValueError, match=r"no model can have the name|has the settings hash"):
        check_model(replace(MODEL, **changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"family": "none"}, "is of the family 'none', which this version does not have"),
        ({"checkpoint": "/etc"}, "one that its family does not take"),
        ({"family": "hf"}, "has no checkpoint"),
        ({"family": "hf", "checkpoint": "a\0b"}, "not a valid path"),
        ({"family": "endpoint", "checkpoint": "file:///etc/passwd"}, "no server's address"),
        ({"family": "endpoint", "checkpoint": "http://me:secret@host/v1"}, "a user or a password"),
    ],
)
def test_what_cannot_be_loaded(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as refused:
        check_model(replace(MODEL, **changes))
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"batch": 0},
        {"batch": "8"},
        {"batch": 2**40},
        {"batch": True},
        {"seed": -1},
        {"seed": 2**63},
        {"seed": 1.5},
        {"prompt": None},
        {"prompt": 5},
        {"prompt": {}},
        {"preprocess": "stretch"},
        {"dtype": "float64"},
        {"dtype": "auto\n"},
        {"quantize": ""},
        {"temperature": -1},
        {"temperature": float("nan")},
        {"temperature": float("inf")},
        {"top_p": 0},
        {"top_p": 2},
        {"max_new_tokens": 0},
        {"max_new_tokens": 10**9},
        {"min_new_tokens": 31},
        {"no_repeat_ngram": -1},
        {"tokenizer": 7},
        {"served_model": []},
        {"graphs": "yes"},
        {"auto_batch": 1},
        {"prompts": "["},
        {"prompts": "[]"},
        {"prompts": '["\\ud800"]'},
        {"strip": '[""]'},
        {"template": '{"messages": 1}'},
        {"template": '{"a": NaN}'},
        {"template": '{"a": ' + "[" * 5_000 + "]" * 5_000 + "}"},
        {"max_pixels": 0},
        {"min_pixels": 9, "max_pixels": 8},
        {"repetition_penalty": 0},
    ],
)
def test_settings_that_nobody_can_set(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="invalid settings"):
        check_model(replace(MODEL, settings=settings))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(sorted(asdict(Settings()))), JSON))
def test_settings_are_taken_or_refused(settings: dict[str, Any]) -> None:
    """Whatever stands in them, it is an error that is told, or settings of the right types."""
    try:
        check_model(replace(MODEL, settings=settings))
    except ValueError:
        return
    taken = Settings.of(settings)
    assert 1 <= taken.batch <= 65536
    assert isinstance(taken.prompt, str)
