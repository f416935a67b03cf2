"""What is known of each type of open model: its own prompt, or why it is no captioner."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from engine.captioners.model_choice import change_model, choose
from engine.captioners.model_families import FAMILIES
from engine.captioners.open_models import (
    GENERAL_PROMPT,
    open_model,
    own_prompt,
    refusal_of_type,
    types_by_state,
)
from engine.captioners.settings import Settings
from tests.support.cli import cli_ok


def config(kind: str, **more: Any) -> dict[str, Any]:
    return {"model_type": kind} | more


@pytest.mark.parametrize(
    ("stated", "prompt"),
    [
        (config("paligemma"), "caption en"),
        (config("florence2"), "<CAPTION>"),
        (config("git"), ""),
        (config("blip-2", text_config={"model_type": "opt"}), ""),
        (config("blip-2", text_config={"model_type": "t5"}), GENERAL_PROMPT),
        (config("qwen3_vl"), GENERAL_PROMPT),
        (config("of_next_year"), GENERAL_PROMPT),
    ],
)
def test_the_general_prompt_becomes_the_types_own(stated: dict[str, Any], prompt: str) -> None:
    assert own_prompt(stated, GENERAL_PROMPT) == prompt
    assert own_prompt(stated, "What is it?") == "What is it?"


@pytest.mark.parametrize(
    ("stated", "why"),
    [
        (config("got_ocr2"), "reads the text of a page"),
        (config("mistral4"), "writes text and takes no image"),
        (config("vision-encoder-decoder", decoder={"model_type": "trocr"}), "OCR"),
    ],
)
def test_a_type_that_captions_nothing_is_refused_in_words(stated: dict[str, Any], why: str) -> None:
    refusal = refusal_of_type(stated)
    assert refusal is not None and why in refusal and "--model NAME=http" in refusal
    assert refusal_of_type(config("vision-encoder-decoder", decoder={"model_type": "gpt2"})) is None


def test_configs_that_hold_nonsense_are_of_no_type() -> None:
    for stated in ({}, {"model_type": 7}, {"model_type": ["git"]}, config("git", text_config=7)):
        assert refusal_of_type(stated) is None
    assert open_model({"model_type": ["git"]}).own_prompt is None


def test_a_choice_records_what_is_asked(tmp_path: Path) -> None:
    folder = tmp_path / "paligemma"
    folder.mkdir()
    for name in ("tokenizer.json", "preprocessor_config.json", "model.safetensors"):
        (folder / name).write_text("{}")
    (folder / "config.json").write_text(json.dumps(config("paligemma")))
    chosen = choose(f"pali=hf:{folder}")
    assert chosen.settings["prompt"] == "caption en"
    typed = choose(f"pali=hf:{folder}", changes={"prompt": "caption de"})
    assert typed.settings["prompt"] == "caption de"
    preset = FAMILIES["hf"].presets["paper"]
    again = change_model("pali", "hf", str(folder), preset, {"seed": "3"})
    assert again.settings["prompt"] == "caption en"
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    (other / "config.json").write_text(json.dumps(config("qwen2_vl")))
    for settings, prompt in ((chosen, GENERAL_PROMPT), (typed, "caption de")):
        moved = change_model(
            "pali", "hf", str(folder), Settings.of(settings.settings), {"checkpoint": str(other)}
        )
        assert moved.settings["prompt"] == prompt


def test_models_shows_the_types_and_their_prompts() -> None:
    lines = cli_ok("models")
    states = types_by_state()
    assert f"asked by the chat template of their folder: {', '.join(states['untried'])}" in lines
    assert "paligemma is asked 'caption en'" in lines
    assert "blip-2 with opt is asked without a text" in lines
    family = next(it for it in json.loads(cli_ok("models", "--json")) if it["name"] == "hf")
    assert family["types"] == states
    assert len(states["tried"]) >= 45
