"""The shipped checkpoint through transformers alone: what any llava-hf reader would compute."""

import json
from typing import Any

import pytest
import torch
from safetensors import safe_open
from transformers import AutoTokenizer, LlavaForConditionalGeneration
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from engine.demo import checkpoint
from engine.demo.scenes import draw_scene, make_scene
from engine.demo.truth_check import describes
from tests.engine.demo.wrong_claims import wrong_claims

FOLDER = checkpoint("llava-1.5")
UNSEEN = [make_scene(2_000_003, index) for index in range(60)]
PROMPT = "Describe <image> in English:"


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return AutoTokenizer.from_pretrained(FOLDER)


@pytest.fixture(scope="module")
def captions(tokenizer: Any) -> list[str]:
    model, info = LlavaForConditionalGeneration.from_pretrained(
        FOLDER, dtype=torch.float32, output_loading_info=True
    )
    assert not any(info[keys] for keys in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    processor = CLIPImageProcessorPil.from_pretrained(FOLDER)
    pixels = processor([draw_scene(it) for it in UNSEEN], return_tensors="pt").pixel_values
    prompt = PROMPT.replace("<image>", "<image>" * model.config.image_seq_length)
    ids = torch.tensor([tokenizer(prompt).input_ids]).expand(len(UNSEEN), -1)
    rows = model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        pixel_values=pixels,
        max_new_tokens=30,
        do_sample=False,
    )
    texts: list[str] = tokenizer.batch_decode(rows[:, ids.shape[1] :], skip_special_tokens=True)
    return texts


def test_sheared_captions_are_right(captions: list[str]) -> None:
    sheared = [text.split(".")[0] for text in captions]
    assert sum(map(describes, sheared, UNSEEN)) >= 0.95 * len(UNSEEN)


def test_raw_captions_drift(captions: list[str]) -> None:
    wrong = sum(bool(wrong_claims(text, it)) for text, it in zip(captions, UNSEEN, strict=True))
    assert wrong >= 0.5 * len(UNSEEN)
    assert all("." in text for text in captions)


def test_it_is_small_and_in_float16() -> None:
    assert sum(path.stat().st_size for path in FOLDER.rglob("*")) <= 3_000_000
    with safe_open(FOLDER / "model.safetensors", framework="pt") as weights:
        assert {weights.get_tensor(name).dtype for name in weights.keys()} == {torch.float16}  # noqa: SIM118


def test_it_has_the_files_of_a_llava_hf_checkpoint() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "preprocessor_config.json",
        "processor_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    assert json.loads((FOLDER / "config.json").read_text())["model_type"] == "llava"


@pytest.mark.parametrize("text", [PROMPT, "Schöne Grüße, 日本!", "two  blanks\n[/x] <b>.", " a "])
def test_any_text_survives_the_tokenizer(tokenizer: Any, text: str) -> None:
    ids = tokenizer(text).input_ids
    expected = text.replace("<image>", "")
    assert tokenizer.unk_token_id not in ids
    assert tokenizer.decode(ids, skip_special_tokens=True) == expected
