"""A model on a CPU shows progress at its layers: within its first step and each one after it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from torch.nn.modules import module

from engine.captioners.generation import layer_progress
from engine.images.image import open_image

DEPTH = 2
"""Layers at least, of the vision tower and of the language model each."""


@pytest.fixture
def signs(monkeypatch):
    """One entry a sign; the hook is for good, so it is taken out here."""
    monkeypatch.setattr(layer_progress, "SECONDS", 0.0)
    monkeypatch.setattr(module, "_global_forward_hooks", type(module._global_forward_hooks)())
    found: list[None] = []
    layer_progress.watch(lambda: found.append(None))
    return found


def test_every_step_shows_progress(family, checkpoints, pictures, signs):
    counts = []
    for tokens in (1, 2, 4):
        settings = replace(
            family.presets["paper"], max_new_tokens=tokens, min_new_tokens=tokens, temperature=0.0
        )
        captioner = family.load(str(checkpoints[family.name]), settings, "cpu")
        inputs = [captioner.prepare(open_image(str(path))) for path in pictures[:2]]
        before = len(signs)
        captioner.caption(inputs, [0, 1])
        counts.append(len(signs) - before)
    first, second, fourth = counts
    assert first >= 2 * DEPTH
    assert second - first >= DEPTH
    assert fourth - second == 2 * (second - first)


def test_not_at_every_layer(family, checkpoints, pictures, signs, monkeypatch):
    monkeypatch.setattr(layer_progress, "SECONDS", 3600.0)
    captioner = family.load(str(checkpoints[family.name]), family.presets["paper"], "cpu")
    captioner.caption([captioner.prepare(open_image(str(pictures[0])))], [0])
    assert not signs
