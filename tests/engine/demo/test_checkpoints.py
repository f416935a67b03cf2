"""The shipped checkpoints, each in its family's official layout, through the real loaders."""

from __future__ import annotations

import pytest

from engine.captioners.registry import FAMILIES
from engine.demo import checkpoint
from engine.demo.evaluate import measure
from engine.operations.demo_project import MODELS

MAX_BYTES = 3_000_000
"""The largest size of a demo checkpoint."""
SCENES = 100
SEED = 3_000_017
"""A seed of which no scene was trained or measured."""

FILES = {
    "llava-1.5": {"config.json", "model.safetensors", "tokenizer.json"},
    "minigpt-4": {
        "prerained_minigpt4_7b.pth",
        "eva_vit_g.pth",
        "blip2_pretrained_flant5xxl.pth",
        "vicuna/pytorch_model.bin",
    },
    "otter": {"config.json", "pytorch_model.bin", "tokenizer.json"},
    "qwen-vl": {"config.json", "pytorch_model.bin", "qwen.tiktoken"},
}


@pytest.mark.parametrize("family", MODELS)
def test_it_lies_in_its_official_layout_and_is_small(family: str) -> None:
    folder = checkpoint(family)
    files = {str(it.relative_to(folder)) for it in folder.rglob("*") if it.is_file()}
    assert files >= FILES[family]
    assert sum((folder / name).stat().st_size for name in files) <= MAX_BYTES


@pytest.mark.parametrize("family", MODELS)
def test_it_tells_what_it_sees_and_then_drifts(family: str) -> None:
    """500 unseen scenes are measured by `python -m engine.demo.train`; these are others."""
    measured = measure(family, checkpoint(family), SCENES, SEED)
    assert measured.temperature == FAMILIES[family].presets["paper"].temperature
    assert measured.right >= 0.93 * SCENES
    assert measured.raw_captions_wrong >= 0.25 * SCENES
    assert measured.sheared_captions_wrong <= 0.07 * SCENES
