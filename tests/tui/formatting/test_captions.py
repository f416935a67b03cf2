"""The original caption above the captions of the models."""

from __future__ import annotations

from tui.formatting.captions import original_content


def test_a_very_long_original_leaves_room_for_the_models() -> None:
    short = original_content("[x] " * 100).plain
    assert short.strip() == ("[x] " * 100).strip()
    long = original_content("[x] " * 2500).plain
    assert long.strip().startswith("[x] [x]") and len(long) < 700
    assert long.endswith("... 9,400 more characters")
