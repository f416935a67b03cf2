"""Demo checkpoints in the official layouts: written, loaded, trained, saved and loaded again."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest
import torch

from engine.captioners.checkpoints.weight_size import SUFFIXES
from engine.captioners.checkpoints.weights import read_file
from engine.demo import checkpoint
from engine.demo.train import (
    LAYOUTS,
    Probes,
    TrainingBatches,
    tokenizer_corpus,
    train_captions,
    train_vision,
)
from engine.demo.trainable import load_trainable

MAX_BYTES = 3_000_000
"""The largest size of a demo checkpoint."""


@pytest.mark.parametrize("family", LAYOUTS)
def test_what_was_trained_comes_back(family: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    layout = import_module(f"engine.demo.layouts.{LAYOUTS[family]}")
    layout.write_untrained(tmp_path, tokenizer_corpus(family, 0))
    model = load_trainable(family, tmp_path)
    before = {name: it.clone() for name, it in model.module.named_parameters()}
    batches = TrainingBatches(family, model, 64, seed=0)
    probes = Probes(width=128)
    train_vision(model, probes, batches, steps=1, peak=0.5)
    train_captions(model, probes, batches, steps=1, peak=0.5)
    layout.save_trained(model.module, tmp_path)

    again = dict(load_trainable(family, tmp_path).module.named_parameters())
    for name, trained in model.module.named_parameters():
        expected = trained.half().float()
        if name.endswith("qkv.bias"):  # EVA has none for keys, where it would cancel out
            expected.data.chunk(3)[1].zero_()
        assert torch.equal(again[name], expected), name
    for shipped in checkpoint(family).rglob("*"):
        if shipped.suffix in SUFFIXES:
            written = tmp_path / shipped.relative_to(checkpoint(family))
            assert read_file(written).keys() == read_file(shipped).keys()
    moved = sum(not torch.equal(before[name], it) for name, it in again.items())
    assert moved > 0.9 * len(before)
    assert sum(it.stat().st_size for it in tmp_path.rglob("*") if it.is_file()) <= MAX_BYTES
