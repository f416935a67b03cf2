"""What is wrong with a caption as it is written, after shearing."""

from __future__ import annotations

import pytest

from engine.quality.batch_finder import Caption
from engine.quality.caption_check import CaptionCheck, SeriesCheck, names_of
from engine.quality.defects import DefectFinder
from engine.quality.shard_health import ShardHealth, left_by_shearing
from engine.quality.vocabulary import Vocabulary
from engine.shearing.shear import Shearing, make_shearer

CAPTIONS = (
    # Leaks and lead-ins behind and before what is kept.
    ("minigpt-4", "paper", "A dog on a lawn. ###Human: What else?", ()),
    ("qwen-vl", "paper", "A dog on a lawn. **Thinking** It is ```", ()),
    ("llava-1.5", "sentence", "A dog on a lawn.\nUSER: and now?", ()),
    ("llava-1.5", "sentence", "Sure! Here is a caption: A dog on a lawn.", ()),
    ("hf", "paper", "<think>A dog?</think>A dog on a lawn.", ("reasoning",)),
    # What is kept holds them.
    ("qwen-vl", "paper", "A dog on a lawn {caption}. It runs", ("leaks",)),
    ("llava-1.5", "paper", "Sure! Here is a caption: A dog on a lawn.", ("lead_ins",)),
    ("hf", "paper", '<think>A dog?</think>{"caption": "A dog on a lawn"}', ("reasoning",)),
    ("otter", "paper", "What do you see here? A dog. USER: and now?", ("leaks",)),
    # Nothing is kept.
    ("minigpt-4", "paper", "###Human: What else?", ("empty", "leaks")),
)
PROMPT = "What do you see here?"


@pytest.mark.parametrize(("family", "mode", "raw", "names"), CAPTIONS)
def test_what_shearing_cuts_is_not_wrong_with_a_caption(
    family: str, mode: str, raw: str, names: tuple[str, ...]
) -> None:
    shearing = Shearing(mode)  # type: ignore[arg-type]
    check = CaptionCheck(family, shearing, [PROMPT])
    assert names_of(check.defects_of(raw, "stop")) == names
    assert SeriesCheck(check).names_of(raw, "stop") == names
    health = ShardHealth.of_nothing(1, sampled=False)
    sheared = make_shearer(family, shearing)(raw, "stop")
    caption = Caption(0, raw, "stop", sheared)
    health.add_captions(DefectFinder("en", [PROMPT]), [caption], Vocabulary())
    assert names_of(int(left_by_shearing(health.flag_array())[0])) == names
