"""Which files the checkpoint folders of each family must have.

Each `missing_*` function returns what a folder lacks, in words for people; an empty list means that
it is complete. This module imports no torch, so that the application can check what a user types.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.captioners.config_files import read_json
from engine.captioners.errors import CheckpointError

WEIGHT_FILES = (
    ("model.safetensors", "model.safetensors.index.json"),
    ("pytorch_model.bin", "pytorch_model.bin.index.json"),
)
"""Names of the file with all weights, and of the index that names the weight files otherwise.

The first pair of which a folder has one counts.
"""

NO_IMAGE_PROCESSOR = "preprocessor_config.json"
"""What a folder lacks that says nothing of images."""
TOKENIZER_FORMS = (
    ("tokenizer.json",),
    ("tokenizer.model",),
    ("vocab.json", "merges.txt"),
    ("vocab.txt",),
    ("spiece.model",),
    ("sentencepiece.bpe.model",),
)
"""The files from which transformers makes a tokenizer, in each of their forms."""


def missing_weights(folder: Path) -> list[str]:
    """Return what is missing of the weights, down to each file that an index lists."""
    for single, index in WEIGHT_FILES:
        if (folder / single).is_file():
            return []
        if (folder / index).is_file():
            return missing_weight_files(folder, folder / index)
    return ["model.safetensors or pytorch_model.bin (or their .index.json and shards)"]


def weight_names(folder: Path) -> set[str]:
    """Return the names of a folder's weight files, by its index if it has one; empty for none."""
    for single, index in WEIGHT_FILES:
        if (folder / single).is_file():
            return {single}
        if (folder / index).is_file():
            weight_map = read_json_or_empty(folder / index).get("weight_map")
            return set(map(str, weight_map.values())) if isinstance(weight_map, dict) else set()
    return set()


def missing_weight_files(folder: Path, index: Path) -> list[str]:
    """Return the names of weight files that an index lists and the folder does not have.

    A file outside of the folder counts as one that it does not have.
    """
    try:
        names = set(read_json(index)["weight_map"].values())
        return sorted(
            str(name) if is_inside(name) else f"{name!r} (which {index.name} wants from outside)"
            for name in names
            if not (is_inside(name) and (folder / name).is_file())
        )
    except (CheckpointError, ValueError, KeyError, AttributeError, OSError, TypeError):
        return [f"a readable {index.name}"]


def is_inside(name: str) -> bool:
    """Return True if a path stays in the folder to which it belongs, wherever links lead."""
    path = Path(name)
    return not path.is_absolute() and ".." not in path.parts


def missing_served_files(folder: Path, _tokenizer: Path | None) -> list[str]:
    """Return what a folder lacks of what any engine can serve."""
    if (folder / "config.json").is_file() or next(folder.glob("*.gguf"), None) is not None:
        return []
    return ["config.json, or a GGUF file"]


def missing_config(folder: Path) -> list[str]:
    return [] if (folder / "config.json").is_file() else ["config.json"]


def missing_tokenizer(folder: Path) -> list[str]:
    """Return what the tokenizer's folder lacks, which may be another than the checkpoint's."""
    if any((folder / name).is_file() for name in ("tokenizer.json", "tokenizer.model")):
        return []
    return ["tokenizer.json or tokenizer.model"]


def missing_hf_tokenizer(folder: Path) -> list[str]:
    """Return what the tokenizer's folder lacks, for a model that transformers loads."""
    if any(all((folder / name).is_file() for name in form) for form in TOKENIZER_FORMS):
        return []
    return ["tokenizer.json (or another form of its tokenizer, such as vocab.json with merges.txt)"]


def read_config(folder: Path) -> dict[str, Any]:
    """Return the contents of config.json; empty if it is missing or unreadable."""
    return read_json_or_empty(folder / "config.json")


def read_json_or_empty(file: Path) -> dict[str, Any]:
    """Return the JSON object in a file; empty if it is missing or unreadable."""
    try:
        return read_json(file)
    except CheckpointError:
        return {}


def subfolder_of_type(folder: Path, model_type: str) -> Path | None:
    """Return the first folder in `folder` whose config.json has this model type; None for none."""
    if not folder.is_dir():
        return None
    parts = sorted(part for part in folder.iterdir() if part.is_dir())
    return next((part for part in parts if read_config(part).get("model_type") == model_type), None)


def missing_hf_files(folder: Path, tokenizer: Path | None) -> list[str]:
    missing = missing_config(folder) + missing_hf_tokenizer(tokenizer or folder)
    if not any(
        (folder / name).is_file() for name in ("preprocessor_config.json", "processor_config.json")
    ):
        missing.append(NO_IMAGE_PROCESSOR)
    return missing + missing_weights(folder)


def missing_llava_files(folder: Path, tokenizer: Path | None) -> list[str]:
    return missing_config(folder) + missing_tokenizer(tokenizer or folder) + missing_weights(folder)


def missing_otter_files(folder: Path, tokenizer: Path | None) -> list[str]:
    missing = missing_config(folder) + missing_weights(folder)
    if missing_tokenizer(tokenizer or folder):
        missing.append(
            "tokenizer.json (that of mosaicml/mpt-7b-instruct: put it there or name its folder"
            " with --set otter.tokenizer=FOLDER)"
        )
    return missing


def missing_otter_llama_files(folder: Path, tokenizer: Path | None) -> list[str]:
    missing = missing_config(folder) + missing_weights(folder)
    if missing_tokenizer(tokenizer or folder):
        missing.append(
            "tokenizer.model (that of LLaMA-7B: put it there or name its folder with --set"
            " otter-llama.tokenizer=FOLDER)"
        )
    return missing


def missing_qwen_vl_files(folder: Path, tokenizer: Path | None) -> list[str]:
    ranks = tokenizer or folder / "qwen.tiktoken"
    missing = missing_config(folder) + missing_weights(folder)
    return missing if ranks.exists() else [*missing, "qwen.tiktoken"]


def find_projection_file(folder: Path) -> Path | None:
    """Return the file of MiniGPT-4's own weights, which is published as
    `prerained_minigpt4_7b.pth`, spelled so; None if there is none."""
    return next(iter(sorted(folder.glob("pre*minigpt4*.pth"))), None)


def missing_minigpt4_files(folder: Path, tokenizer: Path | None) -> list[str]:
    missing = []
    if not find_projection_file(folder):
        missing.append("prerained_minigpt4_7b.pth")
    official = ("eva_vit_g.pth", "blip2_pretrained_flant5xxl.pth")
    if subfolder_of_type(folder, "blip-2") is None:
        missing += [name for name in official if not (folder / name).is_file()]
    vicuna = subfolder_of_type(folder, "llama")
    if vicuna is None:
        return [*missing, "vicuna/ (the folder of Vicuna-7B v0, config.json inside)"]
    in_vicuna = missing_tokenizer(tokenizer or vicuna) + missing_weights(vicuna)
    return missing + [f"{vicuna.name}/{name}" for name in in_vicuna]


def missing_minigpt4_llama2_files(folder: Path, tokenizer: Path | None) -> list[str]:
    missing = [] if find_projection_file(folder) else ["pretrained_minigpt4_llama2_7b.pth"]
    missing += [] if (folder / "eva_vit_g.pth").is_file() else ["eva_vit_g.pth"]
    llama = subfolder_of_type(folder, "llama")
    if llama is None:
        return [*missing, "llama-2-7b-chat-hf/ (the folder of Llama-2-7B-Chat)"]
    in_llama = missing_tokenizer(tokenizer or llama) + missing_weights(llama)
    return missing + [f"{llama.name}/{name}" for name in in_llama]
