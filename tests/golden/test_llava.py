"""LLaVA-1.5 against what the official code computed (provenance.json), llava-hf layout."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.captioners.base import CheckpointError
from engine.captioners.generation import generate, splice
from engine.captioners.llava import image_features, load_model
from engine.captioners.registry import Settings

FOLDER = Path(__file__).parent / "llava/A"
TOLERANCE = 5e-5
IMAGE = -200
"""The image's place in the original `input_ids`."""


@pytest.fixture(scope="module")
def model():
    return load_model(FOLDER / "hf", torch.float32).eval()


@pytest.fixture(scope="module")
def inputs():
    return load_file(FOLDER / "inputs.safetensors")


@pytest.fixture(scope="module")
def expected():
    return load_file(FOLDER / "expected.safetensors")


@pytest.fixture(scope="module")
def embeddings(model, inputs):
    ids = inputs["input_ids"][0]
    at = ids.tolist().index(IMAGE)
    embed = model.get_input_embeddings()
    with torch.inference_mode():
        features = image_features(model, inputs["pixel_values"])
        return splice(embed(ids[:at]), features, embed(ids[at + 1 :]))


def test_image_features(model, inputs, expected):
    with torch.inference_mode():
        found = image_features(model, inputs["pixel_values"])
    assert torch.allclose(found, expected["image_features"], rtol=0, atol=TOLERANCE)


def test_logits(model, embeddings, expected):
    with torch.inference_mode():
        logits = model(inputs_embeds=embeddings).logits
    words = expected["logits"].shape[-1]
    assert torch.allclose(logits[..., :words], expected["logits"], rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("rows", [1, 3])
def test_greedy_ids(model, embeddings, expected, rows):
    settings = Settings(max_new_tokens=expected["generated"].shape[1])
    batch = embeddings.expand(rows, -1, -1)
    ids = generate(model, batch, settings, range(rows), [2], 0)
    assert torch.equal(ids, expected["generated"].expand(rows, -1))


def test_the_end_of_sentence_stops(model, embeddings, expected):
    stop = int(expected["eos_case_id"])
    settings = Settings(max_new_tokens=expected["generated"].shape[1])
    ids = generate(model, embeddings, settings, [0], [stop], 0)
    assert torch.equal(ids, expected["eos_case"])


def changed_checkpoint(folder: Path, change) -> Path:
    folder.mkdir(exist_ok=True)
    weights = load_file(FOLDER / "hf/model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_bytes((FOLDER / "hf/config.json").read_bytes())
    return folder


def test_a_missing_weight_is_named(tmp_path):
    key = "language_model.model.layers.1.mlp.up_proj.weight"
    folder = changed_checkpoint(tmp_path / "c", lambda weights: weights.pop(key))
    with pytest.raises(CheckpointError, match=r"missing keys: .*layers\.1\.mlp\.up_proj"):
        load_model(folder, torch.float32)


def test_an_unexpected_weight_is_named(tmp_path):
    folder = changed_checkpoint(
        tmp_path / "c", lambda weights: weights.update({"extra.thing": torch.zeros(2)})
    )
    with pytest.raises(CheckpointError, match=r"unexpected keys: .*extra\.thing"):
        load_model(folder, torch.float32)


def test_a_weight_of_the_wrong_shape_is_an_error(tmp_path):
    key = "multi_modal_projector.linear_1.weight"
    folder = changed_checkpoint(
        tmp_path / "c", lambda weights: weights.update({key: torch.zeros(3, 5)})
    )
    with pytest.raises(CheckpointError, match=r"linear_1"):
        load_model(folder, torch.float32)


def test_the_original_layout_is_recognised(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "llava", "mm_vision_tower": "clip"}')
    with pytest.raises(CheckpointError, match="original-layout LLaVA"):
        load_model(tmp_path, torch.float32)
    (tmp_path / "config.json").write_text('{"model_type": "qwen"}')
    with pytest.raises(CheckpointError, match="'qwen' checkpoint, not LLaVA"):
        load_model(tmp_path, torch.float32)
