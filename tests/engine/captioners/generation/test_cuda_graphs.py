"""Steps recorded on a GPU, where there is none: a recording is imitated by doing the step again."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from engine.captioners.families import otter, spliced
from engine.captioners.generation.cuda_graphs import SHARES, StepGraphs, recorder
from engine.images.image import open_image


def imitated(step, ids, place):
    logits = step(ids, place).clone()
    return lambda: logits.copy_(step(ids, place)), logits


def refused(step, ids, place):
    raise RuntimeError("operation not permitted when stream is capturing")


def forgetful(step, ids, place):
    """A recording that missed what it should do."""
    return lambda: None, torch.zeros_like(step(ids, place))


@pytest.fixture
def captions(family, checkpoints, pictures, monkeypatch):
    """Of batches of several sizes, one after the other; rows end early."""
    settings = replace(family.presets["paper"], dtype="float32", temperature=1.5)
    prepared: list = []

    def made(record):
        for module in (otter, spliced):
            monkeypatch.setattr(module, "recorder", lambda *_: record)
        captioner = family.load(str(checkpoints[family.name]), settings, "cpu")
        text = "lang_encoder" if family.name == "otter" else "language_model"
        words = captioner.model.get_submodule(text).config.vocab_size
        captioner.stop_ids = range(0, words, 7)
        prepared[:] = [captioner.prepare(open_image(str(path))) for path in pictures] * 3
        found = []
        for count in (5, len(prepared), 1, len(prepared), 7):
            found += captioner.caption(prepared[:count], range(count))
        kept = captioner.kept if family.name == "otter" else captioner.decoder.kept
        return found, kept

    return made


def test_replayed_steps_say_the_same(captions):
    plain, _ = captions(None)
    replayed, kept = captions(imitated)
    assert replayed == plain
    assert len({caption.tokens for caption in plain}) > 1
    rows = kept.idle[0].rows.most
    assert set(kept.idle[0].graphs.recorded) <= {-(-rows * it // 1) for it in SHARES}
    assert len(kept.idle[0].graphs.recorded) > 1


@pytest.mark.parametrize("record", [refused, forgetful])
def test_what_cannot_be_recorded_is_launched(captions, record, capsys):
    plain, _ = captions(None)
    launched, kept = captions(record)
    assert launched == plain
    assert kept.idle[0].graphs is None
    assert "decode steps are launched one by one: " in capsys.readouterr().err


def test_garbage_of_the_batch_before_is_not_read(captions, monkeypatch):
    """What lies behind a batch's tokens is masked, but multiplied all the same."""
    plain, _ = captions(imitated)
    spoil = StepGraphs.__call__

    def spoiled(self, ids, place):
        found = spoil(self, ids, place)
        cache = self.step.__self__.cache
        cache.layers[0][1][len(ids) :] = torch.nan
        return found

    monkeypatch.setattr(StepGraphs, "__call__", spoiled)
    assert captions(imitated)[0] == plain


def test_nothing_is_recorded_without_cuda_or_against_the_setting():
    assert recorder(torch.device("cpu"), True) is None
    assert recorder(torch.device("cuda", 0), False) is None
    assert recorder(torch.device("cuda", 0), True) is not None
