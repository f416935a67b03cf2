"""What a checkpoint folder lacks, in words. No torch here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

LAYOUTS = (
    ("model.safetensors", "model.safetensors.index.json"),
    ("pytorch_model.bin", "pytorch_model.bin.index.json"),
)
"""Names of a folder's only weight file and of the index of its shards."""


def lacks_weights(folder: Path) -> list[str]:
    """Missing weights, down to the shard that an index names."""
    for single, index in LAYOUTS:
        if (folder / single).is_file():
            return []
        if (folder / index).is_file():
            return missing_shards(folder, folder / index)
    return ["model.safetensors or pytorch_model.bin (or their .index.json and shards)"]


def missing_shards(folder: Path, index: Path) -> list[str]:
    try:
        names = set(json.loads(index.read_text())["weight_map"].values())
        return sorted(str(name) for name in names if not (folder / name).is_file())
    except (ValueError, KeyError, AttributeError, OSError, TypeError):
        return [f"a readable {index.name}"]


def lacks_config(folder: Path) -> list[str]:
    return [] if (folder / "config.json").is_file() else ["config.json"]


def lacks_tokenizer(folder: Path) -> list[str]:
    """`folder` is the tokenizer's, which may be another than the checkpoint's."""
    if any((folder / name).is_file() for name in ("tokenizer.json", "tokenizer.model")):
        return []
    return ["tokenizer.json or tokenizer.model"]


def config_of(folder: Path) -> dict[str, Any]:
    """The folder's config.json, or nothing."""
    try:
        found = json.loads((folder / "config.json").read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def part_of_type(folder: Path, model_type: str) -> Path | None:
    """The first folder inside `folder` whose config.json is of this model type."""
    if not folder.is_dir():
        return None
    parts = sorted(part for part in folder.iterdir() if part.is_dir())
    return next((part for part in parts if config_of(part).get("model_type") == model_type), None)


def lacks_hf(folder: Path, tokenizer: Path | None) -> list[str]:
    """What a folder in the Hugging Face layout misses."""
    lacking = lacks_config(folder) + lacks_tokenizer(tokenizer or folder)
    if not any(
        (folder / name).is_file() for name in ("preprocessor_config.json", "processor_config.json")
    ):
        lacking.append("preprocessor_config.json")
    return lacking + lacks_weights(folder)


def lacks_llava(folder: Path, tokenizer: Path | None) -> list[str]:
    return lacks_config(folder) + lacks_tokenizer(tokenizer or folder) + lacks_weights(folder)


def lacks_otter(folder: Path, tokenizer: Path | None) -> list[str]:
    lacking = lacks_config(folder) + lacks_weights(folder)
    if lacks_tokenizer(tokenizer or folder):
        lacking.append(
            "tokenizer.json (that of mosaicml/mpt-7b-instruct: put it there or name its folder"
            " with --set otter.tokenizer=FOLDER)"
        )
    return lacking


def lacks_qwen_vl(folder: Path, tokenizer: Path | None) -> list[str]:
    ranks = tokenizer or folder / "qwen.tiktoken"
    lacking = lacks_config(folder) + lacks_weights(folder)
    return lacking if ranks.exists() else [*lacking, "qwen.tiktoken"]


def projection_file(folder: Path) -> Path | None:
    """Published as `prerained_minigpt4_7b.pth`, spelled so."""
    return next(iter(sorted(folder.glob("pre*minigpt4*.pth"))), None)


def lacks_minigpt4(folder: Path, tokenizer: Path | None) -> list[str]:
    lacking = []
    if not projection_file(folder):
        lacking.append("prerained_minigpt4_7b.pth")
    official = ("eva_vit_g.pth", "blip2_pretrained_flant5xxl.pth")
    if part_of_type(folder, "blip-2") is None:
        lacking += [name for name in official if not (folder / name).is_file()]
    vicuna = part_of_type(folder, "llama")
    if vicuna is None:
        return [*lacking, "vicuna/ (the folder of Vicuna-7B v0, config.json inside)"]
    inside = lacks_tokenizer(tokenizer or vicuna) + lacks_weights(vicuna)
    return lacking + [f"{vicuna.name}/{name}" for name in inside]
