"""Captioners of the four families from end to end, on small checkpoints in official layouts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.captioners.base import CheckpointError
from engine.captioners.generation.generate import GenerationRequest, StopAtText, to_caption
from engine.captioners.model_families import Family
from engine.captioners.preprocessing.prompts import load_tokenizer
from engine.captioners.registry import FAMILIES, Settings
from tests.support.checkpoints import LLAMA_TOKENIZER


def greedy(family: Family) -> Settings:
    preset = family.presets["paper"]
    return replace(preset, temperature=0.0, top_p=None, dtype="float32", max_new_tokens=12)


def test_greedy_captions_do_not_depend_on_the_batch(
    family: Family, checkpoints: dict[str, Path], caption_pictures: Callable[..., Any]
) -> None:
    settings = greedy(family)
    together = caption_pictures(family, checkpoints[family.name], settings)
    for batch in (1, 2):
        assert caption_pictures(family, checkpoints[family.name], settings, batch) == together
    assert len({caption.raw for caption in together}) > 1, "the images make no difference"
    assert all(0 < caption.tokens <= 12 for caption in together)


def test_sampled_captions_depend_on_seed_and_record_alone(
    family: Family, checkpoints: dict[str, Path], caption_pictures: Callable[..., Any]
) -> None:
    settings = replace(greedy(family), temperature=1.0, top_p=0.9)
    together = caption_pictures(family, checkpoints[family.name], settings)
    assert caption_pictures(family, checkpoints[family.name], settings, 1) == together
    other = caption_pictures(family, checkpoints[family.name], replace(settings, seed=1))
    assert [it.raw for it in other] != [it.raw for it in together]


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision(
    family: Family, checkpoints: dict[str, Path], caption_pictures: Callable[..., Any], dtype: str
) -> None:
    """The first tokens of a greedy caption stay the same, and dtype and size are reported."""
    settings = replace(greedy(family), dtype=dtype, max_new_tokens=2, min_new_tokens=0)
    captioner = family.load(str(checkpoints[family.name]), settings, "cpu")
    assert captioner.loaded.dtype == dtype
    assert captioner.loaded.bytes < 2.01 * captioner.loaded.parameters
    full = caption_pictures(family, checkpoints[family.name], replace(settings, dtype="float32"))
    half = caption_pictures(family, checkpoints[family.name], settings)
    same = sum(one.raw[:1] == other.raw[:1] for one, other in zip(full, half, strict=True))
    assert same >= 4


@pytest.mark.parametrize("preset", ["paper", "official"])
def test_both_presets_caption(
    family: Family, checkpoints: dict[str, Path], caption_pictures: Callable[..., Any], preset: str
) -> None:
    settings = family.presets[preset]
    captions = caption_pictures(family, checkpoints[family.name], settings)
    assert len(captions) == 5
    least = settings.min_new_tokens
    assert all(least <= caption.tokens <= settings.max_new_tokens for caption in captions)


def test_the_prompt_matters(
    family: Family, checkpoints: dict[str, Path], caption_pictures: Callable[..., Any]
) -> None:
    settings = greedy(family)
    other = replace(settings, prompt=f"{settings.prompt} no no")
    captions = caption_pictures(family, checkpoints[family.name], settings)
    assert caption_pictures(family, checkpoints[family.name], other) != captions


def test_prompts_that_are_too_long_are_refused(checkpoints: dict[str, Path]) -> None:
    for name, limit in (("qwen-vl", "seq_length"), ("otter", "max_seq_len")):
        family = FAMILIES[name]
        prompt = family.presets["official"].prompt + "word " * 450
        with pytest.raises(CheckpointError, match=f"{limit} is"):
            family.load(str(checkpoints[name]), replace(greedy(family), prompt=prompt), "cpu")


def test_each_row_stops_by_itself_at_hashes() -> None:
    """MiniGPT-4's own criterion looks at the first row alone."""
    tokenizer = load_tokenizer(LLAMA_TOKENIZER)
    dog = tokenizer("A dog.", add_special_tokens=False).input_ids
    hashes = tokenizer("###", add_special_tokens=False).input_ids
    rows = torch.tensor([[*dog, *dog[: len(hashes)]], [*dog, *hashes]])
    stop: Any = StopAtText("###", tokenizer, 0)
    assert stop(rows, torch.zeros(2, 1)).tolist() == [False, True]
    request = GenerationRequest(
        settings=Settings(),
        record_ids=[0],
        family_name="minigpt-4",
        stop_ids=[2],
        pad_id=0,
        stop_text="###",
        tokenizer=tokenizer,
    )
    long, short = (to_caption(row, tokenizer, request) for row in rows.tolist())
    assert (long.finish, long.tokens) == ("length", rows.shape[1])
    assert (short.finish, short.raw.strip()) == ("stop", "A dog.")
    assert short.tokens < rows.shape[1]
    assert to_caption([*dog, 2, 0, 0], tokenizer, request).tokens == len(dog)
