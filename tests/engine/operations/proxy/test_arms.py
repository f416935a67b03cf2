"""Which captions the arms of a proxy get."""

from __future__ import annotations

import pytest

from engine.operations.proxy.arms import columns_of, parse_arms
from engine.utils.errors import BadInput

MODELS = ["blip", "llava"]


@pytest.mark.parametrize(
    ("name", "columns", "raw"),
    [
        ("original", ["original"], False),
        ("joint", ["original", "blip", "llava"], False),
        ("raw", ["original", "blip", "llava"], True),
        ("llava", ["llava"], False),
    ],
)
def test_an_arm(name: str, columns: list[str], raw: bool) -> None:
    (arm,) = parse_arms([name], MODELS)
    assert (arm.name, list(arm.columns), arm.raw) == (name, columns, raw)
    assert columns_of([arm]) == columns


def test_what_several_arms_need_is_there_once() -> None:
    assert columns_of(parse_arms(["llava", "joint"], MODELS)) == ["llava", "original", "blip"]


@pytest.mark.parametrize("taken", ["original", "joint", "raw"])
def test_a_model_that_is_called_as_an_arm_is_refused(taken: str) -> None:
    with pytest.raises(BadInput, match=f"the model '{taken}' has the name of an arm"):
        parse_arms(["original"], ["blip", taken])
