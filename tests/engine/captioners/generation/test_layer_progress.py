"""A model on a CPU reports progress at its layers: during prefill and during each decode step."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from torch.nn.modules import module

from engine.captioners.generation import layer_progress
from engine.captioners.model_families import Family
from engine.images.image import open_image

DEPTH = 2
"""Fewest layers of the small models: of the vision tower and of the language model each."""


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A list with one entry for each report. The hook, which would stay, is removed afterwards."""
    monkeypatch.setattr(layer_progress, "REPORT_SECONDS", 0.0)
    monkeypatch.setattr(module, "_global_forward_hooks", type(module._global_forward_hooks)())
    reports: list[None] = []
    layer_progress.watch(lambda: reports.append(None))
    return reports


def test_every_step_shows_progress(
    family: Family, checkpoints: dict[str, Path], pictures: list[Path], reports: list[Any]
) -> None:
    counts = []
    for tokens in (1, 2, 4):
        settings = replace(
            family.presets["paper"], max_new_tokens=tokens, min_new_tokens=tokens, temperature=0.0
        )
        captioner: Any = family.load(str(checkpoints[family.name]), settings, "cpu")
        inputs = [captioner.prepare(open_image(str(path))) for path in pictures[:2]]
        before = len(reports)
        captioner.caption(inputs, [0, 1])
        counts.append(len(reports) - before)
    first, second, fourth = counts
    assert first >= 2 * DEPTH
    assert second - first >= DEPTH
    assert fourth - second == 2 * (second - first)


def test_not_at_every_layer(
    family: Family,
    checkpoints: dict[str, Path],
    pictures: list[Path],
    reports: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(layer_progress, "REPORT_SECONDS", 3600.0)
    captioner: Any = family.load(str(checkpoints[family.name]), family.presets["paper"], "cpu")
    captioner.caption([captioner.prepare(open_image(str(pictures[0])))], [0])
    assert not reports
