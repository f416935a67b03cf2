"""Refuses a Hugging Face folder that cannot be loaded without code of its own.

Its configs are looked at before transformers sees them. transformers is told as well never to run a
folder's code, but would end with the advice to do so. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engine.captioners.config_files import Keys, read_json, server_advice, walk
from engine.captioners.errors import CheckpointError

NATIVE_COPIES = {
    "GOT": "stepfun-ai/GOT-OCR-2.0-hf",
    "florence2": "florence-community/Florence-2-large",
    "internvl_chat": "OpenGVLab/InternVL3-1B-hf",
    "llava_llama": "llava-hf/llava-1.5-7b-hf",
    "llava_mistral": "llava-hf/llava-v1.6-mistral-7b-hf",
    "llava_qwen": "llava-hf/llava-onevision-qwen2-7b-ov-hf",
    "multi_modality": "deepseek-community/Janus-Pro-1B or deepseek-community/deepseek-vl-1.3b-chat",
    "ovis": "thisisiron/Ovis2-2B-hf",
}
"""Repositories of the Hub with a model in transformers' own layout, by the `model_type` that the
model has in its own layout."""
CLASS_KEYS = ("processor_class", "tokenizer_class", "image_processor_type", "video_processor_type")
"""Keys whose value is the name of a class."""


@dataclass(frozen=True, slots=True)
class NativeCode:
    """What transformers has code for."""

    has_model: Callable[[str], bool]
    """Returns True for a `model_type` with which it can caption."""
    has_class: Callable[[str], bool]
    """Returns True for the name of one of its classes."""


def check_folder_runs_no_code(folder: Path, native: NativeCode) -> bool:
    """Raise `CheckpointError` for a folder that cannot be loaded without running code of its own.

    A folder whose model transformers has code for may name code as well; transformers leaves it
    aside and uses its own. Returns True for such a folder.
    """
    model_type = read_json(folder / "config.json").get("model_type")
    has_model = isinstance(model_type, str) and native.has_model(model_type)
    has_code = False
    for file in config_files(folder):
        config = read_json(file)
        classes = [config[key] for key in CLASS_KEYS if config.get(key)]
        has_classes = all(isinstance(it, str) and native.has_class(it) for it in classes)
        for keys, value in walk(config):
            if keys[-1] == "auto_map" and value:
                has_code = True
                if not (has_model and has_classes):
                    raise CheckpointError(code_refusal(file, keys, str(model_type)))
    return has_code


def config_files(folder: Path) -> list[Path]:
    """Return the configs of a folder, `config.json` first."""
    found = sorted(it for it in folder.glob("*config.json") if it.is_file())
    return sorted(found, key=lambda it: it.name != "config.json")


def code_refusal(file: Path, keys: Keys, model_type: str) -> str:
    """Return why a folder with code of its own is refused, and what to do."""
    return f"{file}: {'.'.join(keys)} names code of the checkpoint, {code_advice(model_type)}"


def code_advice(model_type: str) -> str:
    """Return what to do with a checkpoint that has code of its own, as the end of a sentence."""
    return f"which is never run: {copy_advice(model_type)}"


def copy_advice(model_type: str) -> str:
    """Return where a model is that transformers' own code loads, as the end of a sentence."""
    copy = native_copy(model_type)
    example = f"such as {copy}" if copy else "often published as NAME-hf"
    return f"take a copy in transformers' own layout, {example}, or {server_advice()}"


def native_copy(model_type: str) -> str | None:
    """Return a repository with such a model in transformers' own layout, if one is known."""
    return NATIVE_COPIES.get(model_type)
