"""What a checkpoint folder lacks, in words, before anything is loaded."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from engine.captioners.checkpoints import layouts

INDEX = json.dumps({"weight_map": {"a": "1.bin", "b": "2.bin", "c": "1.bin"}})
NO_WEIGHTS = "model.safetensors or pytorch_model.bin (or their .index.json and shards)"


def make(folder: Path, files: Sequence[str]) -> Path:
    """Make a folder with these files: empty ones, or with a text after `=`."""
    folder.mkdir()
    for file in files:
        name, _, text = file.partition("=")
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize(
    ("files", "missing"),
    [
        ([], [NO_WEIGHTS]),
        (["model.safetensors"], []),
        (["pytorch_model.bin"], []),
        ([f"pytorch_model.bin.index.json={INDEX}", "2.bin"], ["1.bin"]),
        ([f"pytorch_model.bin.index.json={INDEX}", "1.bin", "2.bin"], []),
        (["model.safetensors.index.json={"], ["a readable model.safetensors.index.json"]),
        (["model.safetensors.index.json=[]"], ["a readable model.safetensors.index.json"]),
        (
            ['model.safetensors.index.json={"weight_map": {"a": 7}}'],
            ["a readable model.safetensors.index.json"],
        ),
    ],
)
def test_weights(tmp_path: Path, files: list[str], missing: list[str]) -> None:
    assert layouts.missing_weights(make(tmp_path / "c", files)) == missing


VICUNA = ['vicuna/config.json={"model_type": "llama"}', "vicuna/tokenizer.model"]


@pytest.mark.parametrize(
    ("look", "files", "missing"),
    [
        (layouts.missing_hf_files, ["model.safetensors"], ["config.json", "tokenizer", "preproc"]),
        (
            layouts.missing_hf_files,
            ["config.json", "tokenizer.json", "processor_config.json", "model.safetensors"],
            [],
        ),
        (layouts.missing_llava_files, ["config.json", "tokenizer.model"], ["model.safetensors or"]),
        (layouts.missing_otter_files, ["config.json", "pytorch_model.bin"], ["that of mosaicml"]),
        (layouts.missing_qwen_vl_files, ["config.json", "pytorch_model.bin"], ["qwen.tiktoken"]),
        (
            layouts.missing_qwen_vl_files,
            ["config.json", "pytorch_model.bin", "qwen.tiktoken"],
            [],
        ),
        (
            layouts.missing_minigpt4_files,
            [],
            ["prerained_minigpt4_7b.pth", "eva_vit_g.pth", "blip2_pretrained", "vicuna/"],
        ),
        (
            layouts.missing_minigpt4_files,
            [*VICUNA, "pretrained_minigpt4_7b.pth", 'blip/config.json={"model_type": "blip-2"}'],
            ["vicuna/model.safetensors or"],
        ),
        (
            layouts.missing_minigpt4_files,
            [
                *VICUNA,
                *("vicuna/pytorch_model.bin", "prerained_minigpt4_7b.pth"),
                *("eva_vit_g.pth", "blip2_pretrained_flant5xxl.pth"),
            ],
            [],
        ),
    ],
)
def test_families(
    tmp_path: Path,
    look: Callable[[Path, Path | None], list[str]],
    files: list[str],
    missing: list[str],
) -> None:
    found = look(make(tmp_path / "c", files), None)
    assert len(found) == len(missing)
    assert all(part in text for part, text in zip(missing, found, strict=True))


def test_a_tokenizer_may_lie_elsewhere(tmp_path: Path) -> None:
    folder = make(tmp_path / "c", ["config.json", "pytorch_model.bin"])
    other = make(tmp_path / "t", ["tokenizer.json", "qwen.tiktoken"])
    assert layouts.missing_llava_files(folder, None)
    assert not layouts.missing_llava_files(folder, other)
    assert not layouts.missing_otter_files(folder, other)
    assert not layouts.missing_qwen_vl_files(folder, other / "qwen.tiktoken")


@pytest.mark.parametrize("text", ["", "[]", "7", "{"])
def test_a_config_that_cannot_be_read_is_empty(tmp_path: Path, text: str) -> None:
    assert layouts.read_config(make(tmp_path / "c", [f"config.json={text}"])) == {}
    assert layouts.read_config(tmp_path / "none") == {}
