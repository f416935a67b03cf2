"""A loaded model that is asked with other settings says what a fresh load with them says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.captioners.base import CheckpointError
from engine.captioners.model_choice import ASKED_AGAIN_SETTINGS, changed_settings
from engine.captioners.model_families import FAMILIES, Family
from engine.captioners.settings import Settings
from engine.images.image import open_image
from engine.utils.errors import BadInput


def captions(captioner: Any, pictures: list[Path]) -> list[str]:
    inputs = [captioner.prepare(open_image(str(path))) for path in pictures]
    return [it.raw for it in captioner.caption(inputs, range(len(inputs)))]


def test_seed_and_prompt(
    family: Family, checkpoints: dict[str, Path], pictures: list[Path]
) -> None:
    checkpoint = str(checkpoints[family.name])
    settings = replace(family.presets["official"], temperature=1.0, max_new_tokens=8)
    loaded: Any = family.load(checkpoint, settings, "cpu")
    own = captions(loaded, pictures)
    for change in ({"seed": 7}, {"prompt": f"{settings.prompt} no no"}, {"max_new_tokens": 4}):
        changed = replace(settings, **change)
        fresh = captions(family.load(checkpoint, changed, "cpu"), pictures)
        assert captions(loaded.with_settings(changed), pictures) == fresh != own
    assert captions(loaded, pictures) == own


def test_a_prompt_that_is_too_long_is_refused(family: Family, checkpoints: dict[str, Path]) -> None:
    settings = family.presets["official"]
    loaded: Any = family.load(str(checkpoints[family.name]), settings, "cpu")
    with pytest.raises(CheckpointError, match="the prompt has"):
        loaded.with_settings(replace(settings, prompt=f"{settings.prompt} {'word ' * 1000}"))


@pytest.mark.parametrize(
    ("family_name", "changes", "message"),
    [
        ("llava-1.5", {"dtype": "float16"}, "cannot be asked again with another dtype"),
        ("endpoint", {"no_repeat_ngram": "3"}, "another no_repeat_ngram: endpoint takes prompt"),
        (
            "llava-1.5",
            {"prompt": "{caption}"},
            "cannot put {caption} .* of the families hf, endpoint",
        ),
        ("hf", {"prompt": "{caption}"}, "was loaded for prompts without texts of the record"),
        ("dry-run", {"seed": "1"}, "another seed"),
        ("endpoint", {"seed": "x"}, "seed must be a whole number"),
    ],
)
def test_what_only_a_load_can_change(
    family_name: str, changes: dict[str, str], message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        changed_settings(family_name, {}, changes)


def test_a_prompt_is_completed_and_takes_the_place_of_several() -> None:
    llava = FAMILIES["llava-1.5"]
    changed = changed_settings("llava-1.5", {}, {"prompt": "What is this?"})
    assert changed.prompt == llava.conversation.replace("{}", "What is this?")
    several = {"prompts": '["a", "b"]'}
    assert changed_settings("hf", several, {"prompt": "c"}).prompt_choices == ["c"]
    assert changed_settings("hf", several, {"seed": "3"}).prompt_choices == ["a", "b"]


def test_the_names_are_those_of_settings() -> None:
    assert all(hasattr(Settings(), name) for name in ASKED_AGAIN_SETTINGS)
