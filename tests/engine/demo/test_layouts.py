"""Demo checkpoints in the official layouts: begun, loaded, trained a step, saved, loaded again."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest
import torch

from engine.demo.train import LAYOUTS, Batches, Probes, corpus, learn_to_say, learn_to_see
from engine.demo.trainable import load

LARGEST = 3_000_000
"""Bytes."""


@pytest.mark.parametrize("family", LAYOUTS)
def test_what_was_trained_comes_back(family: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    layout = import_module(f"engine.demo.layouts.{LAYOUTS[family]}")
    layout.begin(tmp_path, corpus(family, 0))
    pupil = load(family, tmp_path)
    before = {name: it.clone() for name, it in pupil.model.named_parameters()}
    batches = Batches(family, pupil, 64, seed=0)
    probes = Probes(width=128)
    learn_to_see(pupil, probes, batches, steps=1, peak=0.5)
    learn_to_say(pupil, probes, batches, steps=1, peak=0.5)
    layout.save(pupil.model, tmp_path)

    again = dict(load(family, tmp_path).model.named_parameters())
    for name, trained in pupil.model.named_parameters():
        kept = trained.half().float()
        if name.endswith("qkv.bias"):  # EVA has none for keys, where it would cancel out
            kept.data.chunk(3)[1].zero_()
        assert torch.equal(again[name], kept), name
    moved = sum(not torch.equal(before[name], it) for name, it in again.items())
    assert moved > 0.9 * len(before)
    assert sum(it.stat().st_size for it in tmp_path.rglob("*") if it.is_file()) <= LARGEST
