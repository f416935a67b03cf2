"""The decode loop gives the same tokens as transformers' `generate`, in float32."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from numpy import ndarray

from engine.captioners.base import Caption
from engine.captioners.generation import static_decoders
from engine.captioners.generation.decode_loop import NgramBlocker, decode
from engine.captioners.generation.generate import GenerationRequest, generate, splice, to_captions
from engine.captioners.generation.kv_cache import DenseRows
from engine.captioners.model_families import Family
from engine.captioners.registry import FAMILIES
from engine.captioners.settings import Settings
from engine.images.image import open_image
from tests.support.checkpoints import CHECKPOINTS, OTTERS

USUAL, LANGUAGE_MODELS = "language_model", dict.fromkeys(OTTERS, "lang_encoder")
WAYS: dict[str, dict[str, Any]] = {
    "greedy": {"temperature": 0.0, "top_p": None},
    "sampled": {"temperature": 1.0, "top_p": None},
    "top-p": {"temperature": 0.7, "top_p": 0.9},
    "no repeats": {"temperature": 0.0, "top_p": None, "no_repeat_ngram": 2},
    "at least": {"temperature": 1.0, "top_p": None, "min_new_tokens": 9},
}


@pytest.fixture(params=list(WAYS))
def settings(request: pytest.FixtureRequest, family: Family) -> Settings:
    usual: dict[str, Any] = {
        "dtype": "float32",
        "max_new_tokens": 16,
        "min_new_tokens": 0,
        "no_repeat_ngram": 0,
    }
    return replace(family.presets["paper"], **usual | WAYS[request.param])


@pytest.fixture
def load(checkpoints: dict[str, Path], pictures: list[Path]) -> Callable[..., Any]:
    """A captioner and the pictures prepared for it, three times each."""

    def of(family: Family, settings: Settings) -> tuple[Any, list[ndarray]]:
        captioner = family.load(str(checkpoints[family.name]), settings, "cpu")
        prepared = [captioner.prepare(open_image(str(path))) for path in pictures]
        return captioner, prepared * 3

    return of


def pixel_values(captioner: Any, prepared: list[ndarray]) -> torch.Tensor:
    return captioner.preprocessor.pixel_values(prepared, torch.device("cpu"), torch.float32)


def by_generate(
    captioner: Any, prepared: list[ndarray], record_ids: range, stop_ids: list[int] | range
) -> list[Caption]:
    """Return the captions that `generate` gives."""
    settings, pixels = captioner.settings, pixel_values(captioner, prepared)
    with torch.inference_mode():
        if hasattr(captioner, "prompt"):
            model, prompt = captioner.model.lang_encoder, torch.tensor(captioner.prompt)
            captioner.model.set_images(pixels)
            ids = prompt.expand(len(prepared), -1)
            request = GenerationRequest(
                settings=settings,
                record_ids=record_ids,
                family_name=captioner.name,
                stop_ids=stop_ids,
                pad_id=captioner.pad_id,
            )
            mask, inputs = torch.ones_like(ids), {"input_ids": ids}
        else:
            model, decoder = captioner.model.language_model, captioner.decoder
            features = captioner.model.image_features(pixels)
            embeds = splice(decoder.before, features, decoder.after)
            pad, text, tokenizer = captioner.pad_id, captioner.stop_text, captioner.tokenizer
            request = GenerationRequest(
                settings=settings,
                record_ids=record_ids,
                family_name=captioner.name,
                stop_ids=stop_ids,
                pad_id=pad,
                stop_text=text,
                tokenizer=tokenizer,
            )
            mask = torch.ones(embeds.shape[:2], dtype=torch.long)
            inputs = {"inputs_embeds": embeds}
        return to_captions(generate(model, request, mask, **inputs), captioner.tokenizer, request)


@pytest.mark.parametrize("ends", [False, True], ids=["to the cap", "early"])
def test_equal_to_generate(
    family: Family, settings: Settings, load: Callable[..., Any], ends: bool
) -> None:
    captioner, prepared = load(family, settings)
    record_ids = range(100, 100 + len(prepared))
    if ends:
        language_model = captioner.model.get_submodule(LANGUAGE_MODELS.get(family.name, USUAL))
        captioner.stop_ids = range(0, language_model.config.vocab_size, 7)
    expected = by_generate(captioner, prepared, record_ids, captioner.stop_ids)
    assert captioner.caption(prepared, record_ids) == expected
    if ends and settings.temperature:
        assert len({caption.tokens for caption in expected}) > 1, "all rows end together"


@pytest.mark.parametrize("name", ["llava-1.5", "minigpt-4", "qwen-vl"])
def test_a_cached_prefix_changes_nothing(
    name: str, load: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    family = FAMILIES[name]
    settings = replace(family.presets["paper"], temperature=1.0, dtype="float32")
    captions = []
    for least in (1, 10_000):
        monkeypatch.setattr(static_decoders, "MIN_PREFIX_TOKENS", least)
        captioner, prepared = load(family, settings)
        assert bool(captioner.decoder.prefix) == (least == 1)
        captions.append(captioner.caption(prepared, range(len(prepared))))
    assert captions[0] == captions[1]


@pytest.mark.parametrize("name", ["llava-1.5", "minigpt-4", "qwen-vl"])
def test_fused_matrices_change_nothing(name: str, load: Callable[..., Any]) -> None:
    family = FAMILIES[name]
    settings = replace(family.presets["paper"], temperature=1.0, dtype="float32")
    captioner, prepared = load(family, settings)
    assert captioner.loaded.memory_mapped  # and so they are not fused
    unfused = captioner.caption(prepared, range(len(prepared)))
    before, after, model = captioner.decoder.before, captioner.decoder.after, captioner.model
    captioner.decoder = static_decoders.LlamaDecoder(model.language_model, before, after)
    assert captioner.caption(prepared, range(len(prepared))) == unfused
    assert not load(family, replace(settings, dtype="bfloat16"))[0].loaded.memory_mapped


def test_a_stop_text_ends_its_row_alone(load: Callable[..., Any]) -> None:
    family = FAMILIES["minigpt-4"]
    settings = replace(family.presets["paper"], temperature=1.0, top_p=None, dtype="float32")
    captioner, prepared = load(family, settings)
    record_ids = range(len(prepared))
    texts = "".join(it.raw for it in captioner.caption(prepared, record_ids))
    captioner.stop_text = max(set(texts), key=texts.count)
    expected = by_generate(captioner, prepared, record_ids, captioner.stop_ids)
    assert captioner.caption(prepared, record_ids) == expected
    assert {caption.finish for caption in expected} >= {"stop"}


def test_gaps_are_filled_from_the_end() -> None:
    rows = DenseRows(6)
    tensor = rows.register(torch.arange(6))
    assert rows.compact([True, False, True, False, True, True]) == [0, 4, 2, 5]
    assert (rows.active, tensor[:4].tolist()) == (4, [0, 4, 2, 5])
    assert rows.compact([True, True, True, False]) == [0, 1, 2]
    assert rows.compact([False, False, True]) == [2]
    assert tensor[:1].tolist() == [2]


def test_repeats_count_the_prompt() -> None:
    blocker = NgramBlocker(3, [1, 2, 3, 1])
    assert list(blocker.banned()) == []
    blocker.add(2)
    assert list(blocker.banned()) == [3]
    blocker.add(4)
    assert list(blocker.banned()) == []
    assert list(NgramBlocker(3, [1]).banned()) == []


def test_every_family_is_tried() -> None:
    others = ("hf", "endpoint", "server", "qwen-vl-chat")  # the last is qwen-vl in its classes
    assert set(CHECKPOINTS) == {
        name
        for name, family in FAMILIES.items()
        if family.checkpoint_form and not family.scores and name not in others
    }


def test_steps_are_spent_on_unfinished_rows_alone(load: Callable[..., Any]) -> None:
    family = FAMILIES["llava-1.5"]
    captioner, prepared = load(family, replace(family.presets["paper"], dtype="float32"))
    features = captioner.model.image_features(pixel_values(captioner, prepared))
    settings = replace(captioner.settings, temperature=2.0)
    stop_ids = range(0, captioner.model.language_model.config.vocab_size, 7)
    request = GenerationRequest(
        settings=settings,
        record_ids=range(len(prepared)),
        family_name="llava-1.5",
        stop_ids=stop_ids,
        pad_id=0,
    )
    row_counts: list[int] = []

    def counted(ids: torch.Tensor) -> torch.Tensor:
        row_counts.append(len(ids))
        return step(ids)

    length = captioner.prompt_tokens + settings.max_new_tokens
    with captioner.decoder.state_pool.acquire(len(prepared), length) as state:
        state.prefill([features])
        step = state.step
        state.step = counted
        rows = decode(state, request)
    longest = max(map(len, rows))
    assert row_counts == [sum(len(row) > length for row in rows) for length in range(1, longest)]
