from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.shearing.shear import Shearing, shear

GOLDEN = json.loads((Path(__file__).parents[2] / "golden/prompts.json").read_text())


@pytest.mark.parametrize(("raw", "kept"), GOLDEN["post"]["qwen_and_llava"])
@pytest.mark.parametrize("family", ["llava-1.5", "dry-run"])
def test_paper_mode_is_upstreams(family, raw, kept):
    assert shear(raw, family, Shearing()).text == kept


@given(st.text())
def test_the_kept_span_is_the_kept_text(raw):
    kept = shear(raw, "llava-1.5", Shearing())
    assert raw[kept.start : kept.end] == kept.text
    assert "." not in kept.text
    assert kept.text == kept.text.strip()


@given(st.text(), st.integers(1, 5))
def test_a_cap_in_words_holds(raw, words):
    kept = shear(raw, "llava-1.5", Shearing(max_words=words))
    assert len(kept.text.split()) <= words
    if kept.start is not None:
        assert raw[kept.start : kept.end] == kept.text


def test_the_hash_tells_settings_and_logs_apart():
    hashes = {
        Shearing(max_words=cap).hash(digest) for cap in (None, 5) for digest in ("one", "two")
    }
    assert len(hashes) == 4
    assert Shearing().hash("one") == Shearing().hash("one")
