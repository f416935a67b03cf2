"""Captured decode steps, tested without a GPU: a replay is imitated by running the step again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.captioners.base import Caption
from engine.captioners.families import otter, otter_llama, spliced
from engine.captioners.generation.cuda_graphs import ROW_FRACTIONS, StepGraphs, capture_for
from engine.captioners.generation.static_decoders import DecodeStatePool
from engine.captioners.model_families import Family
from engine.images.image import open_image
from tests.support.checkpoints import OTTERS


def imitated(
    step: Callable[..., Any], input_ids: torch.Tensor, position: torch.Tensor
) -> tuple[Callable[..., Any], torch.Tensor]:
    """Capture a step whose replay runs it again."""
    logits = step(input_ids, position).clone()
    return lambda: logits.copy_(step(input_ids, position)), logits


def refused(step: Callable[..., Any], input_ids: torch.Tensor, position: torch.Tensor) -> None:
    """Fail as CUDA does for a step that cannot be captured."""
    raise RuntimeError("operation not permitted when stream is capturing")


def forgetful(
    step: Callable[..., Any], input_ids: torch.Tensor, position: torch.Tensor
) -> tuple[Callable[..., Any], torch.Tensor]:
    """Capture a step whose replay does nothing."""
    return lambda: None, torch.zeros_like(step(input_ids, position))


@pytest.fixture
def captions(
    family: Family,
    checkpoints: dict[str, Path],
    pictures: list[Path],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Any]:
    """Captions of batches of several sizes, one after the other, and the pool of their states.

    The argument is how steps are captured. Rows end early.
    """
    settings = replace(family.presets["paper"], dtype="float32", temperature=1.5)
    prepared: list[Any] = []

    def of(capture: Callable[..., Any] | None) -> tuple[list[Caption], DecodeStatePool[Any]]:
        for module in (otter, otter_llama, spliced):
            monkeypatch.setattr(module, "capture_for", lambda *_: capture)
        captioner: Any = family.load(str(checkpoints[family.name]), settings, "cpu")
        text = "lang_encoder" if family.name in OTTERS else "language_model"
        vocab_size = captioner.model.get_submodule(text).config.vocab_size
        captioner.stop_ids = range(0, vocab_size, 7)
        prepared[:] = [captioner.prepare(open_image(str(path))) for path in pictures] * 3
        results = []
        for count in (5, len(prepared), 1, len(prepared), 7):
            results += captioner.caption(prepared[:count], range(count))
        owner = captioner if family.name in OTTERS else captioner.decoder
        return results, owner.state_pool

    return of


def test_replayed_steps_say_the_same(captions: Callable[..., Any]) -> None:
    plain, _ = captions(None)
    replayed, pool = captions(imitated)
    assert replayed == plain
    assert len({caption.tokens for caption in plain}) > 1
    state = pool.idle[0]
    row_counts = {-(-state.rows.capacity * it // 1) for it in ROW_FRACTIONS}
    assert set(state.graphs.captured) <= row_counts
    assert len(state.graphs.captured) > 1


@pytest.mark.parametrize("capture", [refused, forgetful])
def test_what_cannot_be_captured_is_launched(
    captions: Callable[..., Any], capture: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    plain, _ = captions(None)
    launched, pool = captions(capture)
    assert launched == plain
    assert pool.idle[0].graphs is None
    assert "CUDA graphs are disabled: " in capsys.readouterr().err


def test_garbage_of_the_batch_before_is_not_read(
    captions: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A captured step multiplies positions behind a batch's tokens, too, though they are masked.

    So NaN that another batch left there must be gone.
    """
    plain, _ = captions(imitated)
    call = StepGraphs.__call__

    def call_and_spoil(self: Any, input_ids: torch.Tensor, position: int) -> torch.Tensor:
        logits = call(self, input_ids, position)
        cache = self.step.__self__.cache
        cache.layers[0][1][len(input_ids) :] = torch.nan
        return logits

    monkeypatch.setattr(StepGraphs, "__call__", call_and_spoil)
    assert captions(imitated)[0] == plain


def test_nothing_is_captured_without_cuda_or_against_the_setting() -> None:
    assert capture_for(torch.device("cpu"), True) is None
    assert capture_for(torch.device("cuda", 0), False) is None
    assert capture_for(torch.device("cuda", 0), True) is not None
