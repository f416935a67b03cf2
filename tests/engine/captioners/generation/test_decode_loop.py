"""Our own decoding says what transformers' `generate` says, token for token, in float32."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from engine.captioners.generation import static_decoders
from engine.captioners.generation.decode_loop import Repeats, decode
from engine.captioners.generation.generate import GenerationRequest, generate, splice, to_captions
from engine.captioners.generation.kv_cache import Rows
from engine.captioners.registry import FAMILIES
from engine.images.image import open_image
from tests.support.checkpoints import CHECKPOINTS

USUAL, LANGUAGE_MODELS = "language_model", {"otter": "lang_encoder"}
WAYS = {
    "greedy": {"temperature": 0.0, "top_p": None},
    "sampled": {"temperature": 1.0, "top_p": None},
    "top-p": {"temperature": 0.7, "top_p": 0.9},
    "no repeats": {"temperature": 0.0, "top_p": None, "no_repeat_ngram": 2},
    "at least": {"temperature": 1.0, "top_p": None, "min_new_tokens": 9},
}


@pytest.fixture(params=list(WAYS))
def settings(request, family):
    usual = {"dtype": "float32", "max_new_tokens": 16, "min_new_tokens": 0, "no_repeat_ngram": 0}
    return replace(family.presets["paper"], **usual | WAYS[request.param])


@pytest.fixture
def load(checkpoints, pictures):
    """A captioner and the pictures prepared for it, several times over."""

    def of(family, settings):
        captioner = family.load(str(checkpoints[family.name]), settings, "cpu")
        prepared = [captioner.prepare(open_image(str(path))) for path in pictures]
        return captioner, prepared * 3

    return of


def pixel_values(captioner, prepared):
    return captioner.square.pixel_values(prepared, torch.device("cpu"), torch.float32)


def plainly(captioner, prepared, records, stops):
    """The captions by way of `generate`."""
    settings, pixels = captioner.settings, pixel_values(captioner, prepared)
    with torch.inference_mode():
        if hasattr(captioner, "prompt"):
            model, prompt = captioner.model.lang_encoder, torch.tensor(captioner.prompt)
            captioner.model.see(pixels)
            ids = prompt.expand(len(prepared), -1)
            asked = GenerationRequest(settings, records, "otter", stops, captioner.pad_id)
            mask, given = torch.ones_like(ids), {"input_ids": ids}
        else:
            model, decoder = captioner.model.language_model, captioner.decoder
            features = captioner.model.image_features(pixels)
            joined = splice(decoder.before, features, decoder.after)
            pad, text, tokenizer = captioner.pad_id, captioner.stop_text, captioner.tokenizer
            asked = GenerationRequest(
                settings, records, captioner.name, stops, pad, text, tokenizer
            )
            mask = torch.ones(joined.shape[:2], dtype=torch.long)
            given = {"inputs_embeds": joined}
        return to_captions(generate(model, asked, mask, **given), captioner.tokenizer, asked)


@pytest.mark.parametrize("ends", [False, True], ids=["to the cap", "early"])
def test_equal_to_generate(family, settings, load, ends):
    captioner, prepared = load(family, settings)
    records = range(100, 100 + len(prepared))
    if ends:
        language_model = captioner.model.get_submodule(LANGUAGE_MODELS.get(family.name, USUAL))
        captioner.stop_ids = range(0, language_model.config.vocab_size, 7)
    expected = plainly(captioner, prepared, records, captioner.stop_ids)
    assert captioner.caption(prepared, records) == expected
    if ends and settings.temperature:
        assert len({caption.tokens for caption in expected}) > 1, "all rows end together"


@pytest.mark.parametrize("name", ["llava-1.5", "minigpt-4", "qwen-vl"])
def test_a_shared_beginning_changes_nothing(name, load, monkeypatch):
    family = FAMILIES[name]
    settings = replace(family.presets["paper"], temperature=1.0, dtype="float32")
    captions = []
    for least in (1, 10_000):
        monkeypatch.setattr(static_decoders, "SHARED_LEAST", least)
        captioner, prepared = load(family, settings)
        assert bool(captioner.decoder.shared) == (least == 1)
        captions.append(captioner.caption(prepared, range(len(prepared))))
    assert captions[0] == captions[1]


@pytest.mark.parametrize("name", ["llava-1.5", "minigpt-4", "qwen-vl"])
def test_joined_matrices_change_nothing(name, load):
    family = FAMILIES[name]
    settings = replace(family.presets["paper"], temperature=1.0, dtype="float32")
    captioner, prepared = load(family, settings)
    assert captioner.loaded.mapped  # and so they are not joined
    apart = captioner.caption(prepared, range(len(prepared)))
    before, after, model = captioner.decoder.before, captioner.decoder.after, captioner.model
    captioner.decoder = static_decoders.LlamaDecoder(model.language_model, before, after)
    assert captioner.caption(prepared, range(len(prepared))) == apart
    assert not load(family, replace(settings, dtype="bfloat16"))[0].loaded.mapped


def test_a_stop_text_ends_its_row_alone(load):
    family = FAMILIES["minigpt-4"]
    settings = replace(family.presets["paper"], temperature=1.0, top_p=None, dtype="float32")
    captioner, prepared = load(family, settings)
    records = range(len(prepared))
    texts = "".join(it.raw for it in captioner.caption(prepared, records))
    captioner.stop_text = max(set(texts), key=texts.count)
    expected = plainly(captioner, prepared, records, captioner.stop_ids)
    assert captioner.caption(prepared, records) == expected
    assert {caption.finish for caption in expected} >= {"stop"}


def test_gaps_are_filled_from_the_end():
    rows = Rows(6)
    tensor = rows.hold(torch.arange(6))
    assert rows.keep([True, False, True, False, True, True]) == [0, 4, 2, 5]
    assert (rows.count, tensor[:4].tolist()) == (4, [0, 4, 2, 5])
    assert rows.keep([True, True, True, False]) == [0, 1, 2]
    assert rows.keep([False, False, True]) == [2]
    assert tensor[:1].tolist() == [2]


def test_repeats_count_the_prompt():
    repeats = Repeats(3, [1, 2, 3, 1])
    assert list(repeats.banned()) == []
    repeats.add(2)
    assert list(repeats.banned()) == [3]
    repeats.add(4)
    assert list(repeats.banned()) == []
    assert list(Repeats(3, [1]).banned()) == []


def test_every_family_is_tried():
    others = ("hf", "endpoint")
    assert set(CHECKPOINTS) == {n for n, f in FAMILIES.items() if f.checkpoint and n not in others}


def test_steps_are_spent_on_running_rows_alone(load):
    family = FAMILIES["llava-1.5"]
    captioner, prepared = load(family, replace(family.presets["paper"], dtype="float32"))
    features = captioner.model.image_features(pixel_values(captioner, prepared))
    settings = replace(captioner.settings, temperature=2.0)
    words = captioner.model.language_model.config.vocab_size
    asked = GenerationRequest(settings, range(len(prepared)), "llava-1.5", range(0, words, 7), 0)
    seen = []
    with captioner.decoder.begin(features, 30) as running:
        step = running.step
        running.step = lambda ids: seen.append(len(ids)) or step(ids)
        found = decode(running, asked)
    longest = max(map(len, found))
    assert seen == [sum(len(row) > number for row in found) for number in range(1, longest)]
