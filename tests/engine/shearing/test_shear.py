"""Shearing in paper mode, against golden cases of upstream's own code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.rows import ShearMode
from engine.shearing.shear import Shearing, shear

GOLDEN = json.loads((Path(__file__).parents[2] / "golden/prompts.json").read_text())


@pytest.mark.parametrize(("raw", "text"), GOLDEN["post"]["qwen_and_llava"])
@pytest.mark.parametrize("family", ["llava-1.5", "qwen-vl"])
def test_paper_mode_is_upstreams(family: str, raw: str, text: str) -> None:
    assert shear(raw, family, Shearing()).text == text


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("1. A red ball on grass\n2. It is big", "A red ball on grass"),
        ("- A red ball on grass\n- It is big.", "A red ball on grass"),
        ("2) A red ball. It is big.", "A red ball"),
        ("A red ball. 2. It is big.", "A red ball"),
        ("3 red balls. 2 are big.", "3 red balls"),
        ("1.", "1"),
    ],
)
@pytest.mark.parametrize("mode", ["paper", "sentence"])
def test_the_marker_of_a_list_is_no_caption(mode: ShearMode, raw: str, text: str) -> None:
    """Upstream's own families keep it in paper mode, as upstream does."""
    assert shear(raw, "endpoint", Shearing(mode)).text.removesuffix(".") == text
    assert shear("1. A red ball", "llava-1.5", Shearing()).text == "1"


@given(st.text())
def test_the_span_holds_the_sheared_text(raw: str) -> None:
    sheared = shear(raw, "llava-1.5", Shearing())
    assert raw[sheared.start : sheared.end] == sheared.text
    assert "." not in sheared.text
    assert sheared.text == sheared.text.strip()


@given(st.text(), st.integers(1, 5))
def test_a_cap_in_words_holds(raw: str, words: int) -> None:
    sheared = shear(raw, "llava-1.5", Shearing(max_words=words))
    assert len(sheared.text.split()) <= words
    if sheared.start is not None:
        assert raw[sheared.start : sheared.end] == sheared.text


def test_the_hash_tells_settings_and_logs_apart() -> None:
    hashes = {
        Shearing(max_words=cap).hash(digest) for cap in (None, 5) for digest in ("one", "two")
    }
    assert len(hashes) == 4
    assert Shearing().hash("one") == Shearing().hash("one")
