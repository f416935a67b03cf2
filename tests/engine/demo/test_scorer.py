"""The demo's scorer: its official layout, and how well it tells right captions from wrong ones."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoModel, AutoProcessor

from engine.captioners.base import Scores
from engine.captioners.record_prompt import PromptRecord
from engine.captioners.registry import FAMILIES, Settings
from engine.demo import checkpoint
from engine.demo.alterations import ALTERATIONS
from engine.demo.phrasing import PHRASINGS
from engine.demo.scenes import draw_scene, make_scene, true_caption
from engine.demo.train_scorer import measure
from engine.demo.truth_check import describes
from engine.images.image import open_image

FOLDER = checkpoint("score")
FILES = {
    *("config.json", "model.safetensors", "processor_config.json"),
    *("tokenizer.json", "tokenizer_config.json"),
}
MAX_BYTES = 3_000_000
SCENES = 200
SEED = 3_000_019
"""A seed of which no scene was trained or measured."""
LEAST = {
    "colour": 0.95,
    "shape": 0.7,
    "relation": 0.9,
    "background": 0.97,
    "swapped colours": 0.9,
    "drifted": 0.9,
}
"""The least share of pairs in which a right caption has the higher score than a wrong one (AUC)."""


def test_it_lies_in_its_official_layout_and_is_small() -> None:
    files = list(FOLDER.iterdir())
    assert {file.name for file in files} == FILES
    assert sum(file.stat().st_size for file in files) <= MAX_BYTES


def test_transformers_loads_it_whole() -> None:
    places: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    model, info = AutoModel.from_pretrained(FOLDER, output_loading_info=True, **places)
    assert not any(info[it] for it in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    processor = AutoProcessor.from_pretrained(FOLDER, **places)
    assert (type(model).__name__, type(processor).__name__) == ("CLIPModel", "CLIPProcessor")


def test_it_tells_right_captions_from_wrong_ones() -> None:
    """500 unseen scenes are measured by `python -m engine.demo.train_scorer`; these are others."""
    scorer: Any = FAMILIES["score"].load(str(FOLDER), Settings(dtype="float32"), "cpu")
    found = measure(scorer.model, scorer.tokenizer, SCENES, SEED)
    assert found.keys() == LEAST.keys()
    assert {kind: area for kind, area in found.items() if area < LEAST[kind]} == {}


def test_it_scores_an_image_file_as_a_worker_does(tmp_path: Path) -> None:
    scorer: Any = FAMILIES["score"].load(str(FOLDER), Settings(), "cpu")
    scene = make_scene(SEED, 0)
    draw_scene(scene).save(tmp_path / "scene.jpg", quality=92)
    other = ALTERATIONS["background"](scene, random.Random(0))
    record = PromptRecord(
        record_id=0, texts={"right": true_caption(scene), "wrong": true_caption(other)}
    )
    inputs = scorer.prepare_record(open_image(str(tmp_path / "scene.jpg")), record)
    (answer,) = scorer.answer_each([inputs], [0])
    assert isinstance(answer, Scores)
    assert answer.by_digest["right"] > answer.by_digest["wrong"]


@pytest.mark.parametrize("kind", ALTERATIONS)
def test_an_altered_scene_is_described_by_no_true_sentence(kind: str) -> None:
    rng = random.Random(kind)
    for index in range(300):
        scene = make_scene(SEED, index)
        altered = ALTERATIONS[kind](scene, rng)
        assert altered.first.name != altered.second.name
        for phrasing in PHRASINGS.values():
            text = phrasing.sentence(altered)
            assert text != phrasing.sentence(scene)
            assert not describes(text, scene)
