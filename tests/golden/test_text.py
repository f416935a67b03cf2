"""Tokenizers, prompts and upstream's clean-ups give what the official code gives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from transformers.models.llama.tokenization_llama import LlamaTokenizer

from engine.captioners.families.otter import SPECIAL_TOKENS
from engine.captioners.families.qwen_tokenizer import QwenTokenizer
from engine.captioners.families.qwen_vl import encode_prompt
from engine.captioners.preprocessing.prompts import encode, encode_around_image, load_tokenizer
from engine.captioners.registry import FAMILIES
from engine.shearing.shear import before_full_stop, minigpt4

Llama = tuple[LlamaTokenizer, dict[str, Any]]
"""A tokenizer, and what the official code makes of texts with it."""


@pytest.fixture
def llama(
    llama_folder: Path,
) -> Llama:
    return (
        load_tokenizer(llama_folder / "tok"),
        json.loads((llama_folder / "tokens.json").read_text()),
    )


@pytest.mark.parametrize("name", ["minigpt4", "minigpt4_llama2"])
def test_minigpt4_segments(llama: Llama, name: str) -> None:
    tokenizer, expected = llama
    if name not in expected:
        pytest.skip(f"the fixtures have no {name}")
    before, after = (it["ids"] for it in expected[name]["segments"])
    prompt = expected[name]["prompt"]
    assert encode_around_image(tokenizer, prompt, "<ImageHere>") == (before, after)


@pytest.mark.parametrize("preset", ["official", "paper"])
def test_otter_prompts_on_llama(llama: Llama, preset: str) -> None:
    tokenizer, expected = llama
    if "otter_llama" not in expected:
        pytest.skip("the fixtures have no otter_llama")
    tokenizer.add_special_tokens({"additional_special_tokens": list(SPECIAL_TOKENS)})
    prompt = FAMILIES["otter-llama"].presets[preset].prompt
    found = [tokenizer.bos_token_id, *encode(tokenizer, prompt, SPECIAL_TOKENS)]
    assert found == expected["otter_llama"][prompt]


def test_llava_prompts(
    llama: Llama,
) -> None:
    tokenizer, expected = llama
    for case in expected["llava"]:
        at = case["ids"].index(-200)
        found = encode_around_image(tokenizer, case["prompt"], "<image>")
        assert found == (case["ids"][:at], case["ids"][at + 1 :]), case["name"]


def test_hashes_and_decoding(
    llama: Llama,
) -> None:
    tokenizer, expected = llama
    for text, ids in expected["hashes"].items():
        assert encode(tokenizer, text) == ids, text
    for case in expected["decode"]:
        assert tokenizer.decode(case["ids"]) == case["text"]


def without_path(ids: list[int], start: int, end: int) -> list[int]:
    """Remove the image's path from official token ids: its features overwrite it."""
    return ids[: ids.index(start) + 1] + ids[ids.index(end) :] if start in ids else ids


def test_qwen_tokens(qwen_tokens: Path) -> None:
    """This test needs the real vocabulary, and is skipped where the fixtures lack it."""
    ranks = qwen_tokens.parent / "qwen.tiktoken"
    if not ranks.is_file():
        pytest.skip(f"no {ranks}")
    expected = json.loads(qwen_tokens.read_text())
    tokenizer = QwenTokenizer(ranks)
    assert len(tokenizer) == expected["vocab_len"]
    for name, number in expected["specials"].items():
        assert tokenizer.special[name] == number, name
    start, end = tokenizer.special["<img>"], tokenizer.special["</img>"]
    for case in expected["cases"]:
        text, ids = case["text"], without_path(case["ids"], start, end)
        if "<img>" in text:
            text = text[: text.index("<img>") + 5] + text[text.index("</img>") :]
            before, after = encode_prompt(tokenizer, text)
            assert [*before, *after] == ids, text
        assert tokenizer.encode(text) == ids, text
    for case in expected["decode_skip_special"]:
        assert tokenizer.decode(case["ids"], skip_special_tokens=True) == case["text"]


PRESETS = {
    "llava_upstream": ("llava-1.5", "paper"),
    "llava_v1_official": ("llava-1.5", "official"),
    "minigpt4": ("minigpt-4", "paper"),
    "otter_official": ("otter", "official"),
    "otter_upstream": ("otter", "paper"),
    "qwen_official_eval_caption": ("qwen-vl", "official"),
    "qwen_upstream": ("qwen-vl", "paper"),
}


def test_prompts_of_the_presets(prompt_file: Path) -> None:
    expected = json.loads(prompt_file.read_text())
    for name, (family, preset) in PRESETS.items():
        if name in expected:
            prompt = FAMILIES[family].presets[preset].prompt
            assert prompt == expected[name].replace("<img>{}</img>", "<img></img>"), name


def otter_upstream(whole: str) -> str:
    """Clean up prompt and answer together, exactly as upstream does for Otter (`Otter.py`).

    It loses a first word that is glued to `<answer>`, which `engine.shearing.shear.otter` keeps.
    """
    words = [word for word in whole.split(" ") if not word.startswith("<")]
    answer = words[words.index("GPT:") + 1 :]
    return " ".join(answer).split("<|endofchunk|>")[0].split(".")[0].strip()


CLEAN_UPS = {
    "minigpt4": minigpt4,
    "otter": otter_upstream,
    "qwen_and_llava": before_full_stop,
}


def test_upstream_clean_ups(prompt_file: Path) -> None:
    """Upstream's functions are reproduced as they are, Otter's lost first words included."""
    for name, pairs in json.loads(prompt_file.read_text()).get("post", {}).items():
        for raw, cleaned in pairs:
            assert CLEAN_UPS[name](raw) == cleaned, raw
