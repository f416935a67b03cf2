"""The shipped checkpoints, each in its family's official layout, through the real loaders."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from transformers import LlamaForCausalLM

from engine.captioners.checkpoints.weights import read_file
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
GOLDEN = Path(__file__).parents[2] / "golden"
"""Tiny checkpoints whose keys are those that the official code writes."""
OFFICIAL = {
    "llava-1.5/model.safetensors": "llava/A/hf/model.safetensors",
    "minigpt-4/blip2_pretrained_flant5xxl.pth": "minigpt4/A/blip2_pretrained_flant5xxl.pth",
    "minigpt-4/eva_vit_g.pth": "minigpt4/A/eva_vit_g.pth",
    "minigpt-4/prerained_minigpt4_7b.pth": "minigpt4/A/prerained_minigpt4_7b.pth",
    "minigpt-4/vicuna/pytorch_model.bin": "minigpt4/A/vicuna/pytorch_model.bin",
    "otter/pytorch_model.bin": "otter/A/pytorch_model.bin",
    "qwen-vl/pytorch_model.bin": "qwen_vl/A/pytorch_model.bin",
}
"""For each file of weights the one of `GOLDEN` that has the same layout."""
LEFT_OUT = r"(t5_proj|head|norm)\.\w+|.*(position_ids|inv_freq)|.*\.post_layernorm\.\w+"
"""A pattern of whole keys that official files have and no model of this project needs."""


def layer_keys(file: Path) -> set[str]:
    """Return the keys of a file of weights, with `N` for the numbers of layers."""
    return {re.sub(r"(?<=\.)\d+(?=\.)", "N", key) for key in read_file(file)}


@pytest.mark.parametrize("name", OFFICIAL)
def test_its_keys_are_the_published_ones(name: str) -> None:
    official = layer_keys(GOLDEN / OFFICIAL[name])
    ours = layer_keys(checkpoint("") / name)
    assert ours <= official
    assert [key for key in official - ours if not re.fullmatch(LEFT_OUT, key)] == []


def test_transformers_loads_the_vicuna_of_minigpt_4() -> None:
    _, info = LlamaForCausalLM.from_pretrained(
        checkpoint("minigpt-4") / "vicuna",
        output_loading_info=True,
        local_files_only=True,
        trust_remote_code=False,
    )
    assert not any(info[it] for it in ("missing_keys", "unexpected_keys", "mismatched_keys"))


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
