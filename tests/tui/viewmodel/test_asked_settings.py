"""How the wizard has a new model asked."""

from __future__ import annotations

import sys

import pytest

from engine.captioners.registry import FAMILIES
from tui.viewmodel.asked_settings import AskedSettings


def test_another_preset_keeps_what_was_entered() -> None:
    asked = AskedSettings(family="minigpt-4")
    assert (asked.values["temperature"], asked.values["top_p"]) == ("1.0", "0.9")
    assert asked.changes == {}
    asked.entered = {"temperature": "1.0", "max_new_tokens": "50"}
    asked.choose_preset("official")
    assert (asked.values["temperature"], asked.values["max_new_tokens"]) == ("0.0", "50")
    assert asked.changes == {"preset": "official", "max_new_tokens": "50"}


@pytest.mark.parametrize(
    ("family", "entered", "problem"),
    [
        ("otter", {"prompt": "What is it?", "temperature": "0.5"}, None),
        ("otter", {"prompt": "<image><image>"}, "the prompt must hold <image> once"),
        ("otter", {"prompt": "<image> {title}"}, "cannot put {title}"),
        ("llava-1.5", {"temperature": "-1"}, "temperature must be a number from 0 up"),
        ("llava-1.5", {"top_p": "0"}, "top_p must be a number above 0"),
        ("qwen-vl", {"max_new_tokens": "5"}, "min_new_tokens 8 is above max_new_tokens 5"),
        ("hf", {"max_new_tokens": "none"}, "max_new_tokens must have a value"),
        ("endpoint", {"max_new_tokens": "none"}, None),
        ("score-vqa", {"prompt": "Is it true?"}, "must hold {caption} once"),
        ("server", {"backend": "sglang", "interpreter": sys.executable}, None),
        ("server", {"interpreter": "/no/such/python"}, "interpreter must be an existing"),
        ("server", {"backend": "/opt/serve.sh {model}"}, "{port}"),
        ("server", {"arguments": "--max-model-len 8192"}, None),
        ("server", {"arguments": ""}, None),
        ("server", {"arguments": "'--dtype"}, "arguments must be further arguments"),
    ],
)
def test_what_is_wrong_with_what_was_entered(
    family: str, entered: dict[str, str], problem: str | None
) -> None:
    said = AskedSettings(family=family, entered=entered).problem()
    assert said is None if problem is None else said is not None and problem in said


def test_every_family_can_be_shown() -> None:
    offered = {name: set(AskedSettings(family=name).values) for name in FAMILIES}
    sampled = {"prompt", "temperature", "top_p", "max_new_tokens"}
    assert offered["hf"] == offered["otter"] == offered["endpoint"] == sampled
    assert offered["server"] == {*sampled, "backend", "interpreter", "arguments"}
    assert offered["score-vqa"] == {"prompt"}
    assert offered["score"] == offered["dry-run"] == set()
