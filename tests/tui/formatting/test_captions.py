"""The original caption above the captions of the models, and their scores."""

from __future__ import annotations

from engine.operations.records import SampledCaption, SampledImage
from tui.formatting.captions import captions_content, original_content


def test_a_very_long_original_leaves_room_for_the_models() -> None:
    short = original_content("[x] " * 100).plain
    assert short.strip() == ("[x] " * 100).strip()
    long = original_content("[x] " * 2500).plain
    assert long.strip().startswith("[x] [x]") and len(long) < 700
    assert long.endswith("... 9,400 more characters")


def test_scores_stand_beside_the_captions() -> None:
    caption = SampledCaption(
        model="a",
        raw="A dog. It runs.",
        sheared="A dog",
        start=0,
        end=5,
        tokens=5,
        finish="stop",
        error=None,
        scores={"clip": 0.25, "vqa": 0.9},
        raw_scores={"clip": 0.2},
    )
    image = SampledImage(
        shard=0,
        i=0,
        image="x.png",
        original="a pet",
        captions=(caption,),
        original_scores={"clip": 0.125},
    )
    shown = captions_content(image, ["a", "b"], "cut", None, False).plain
    assert "Original  2 words, clip 0.125" in shown
    assert "kept 2/4 words, 5 tok, stop, clip 0.250 (raw 0.200), vqa 0.900" in shown
