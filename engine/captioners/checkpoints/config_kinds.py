"""Advice for folders in the Hugging Face layout by what their config.json says: one sentence each.

Imports no torch: what transformers has to be asked for is in `families.hf.weights`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.captioners.checkpoints.foreign_code import code_advice, native_copy
from engine.captioners.checkpoints.layouts import missing_weights
from engine.captioners.config_files import NAME_ITS_SERVER, server_advice
from engine.captioners.open_models import OPEN_MODELS, refusal_of_type

OWN_FAMILIES = {"qwen": "qwen-vl", "otter": "otter", "flamingo": "otter"}
"""Families of this project by the `model_type` of their official config.json."""

MLX = (
    "its weights were converted for MLX, for Apple's processors only: take the repository that they"
    f" were made from, or serve them with mlx_vlm.server and {NAME_ITS_SERVER}"
)
"""The sentence about weights in MLX's layout."""


def advice_for_config(folder: Path, config: Mapping[str, Any]) -> str | None:
    """Return, in a sentence, why a folder is refused and the way out; None if it is not.

    `config` is the contents of its config.json.
    """
    kinds = (original_llava, own_family, authors_layout, refusal_of_type, mlx)
    why = next((text for kind in kinds if (text := kind(config)) is not None), None)
    return None if why is None else f"{folder}: {why}"


def original_llava(config: Mapping[str, Any]) -> str | None:
    # transformers would read it as a default 7B config and draw the weights at random.
    if "mm_vision_tower" not in config:
        return None
    kind = str(config.get("model_type"))
    copy = native_copy(kind) or "llava-hf/llava-1.5-7b-hf"
    if kind in ("llava", "llava_llama"):
        if "anyres" in str(config.get("image_aspect_ratio")):
            copy = "llava-hf/llava-v1.6-vicuna-7b-hf"
        elif config.get("mm_projector_type") == "mlp2x_gelu":
            return "this is an original-layout LLaVA checkpoint: load it with --model llava-1.5"
    return (
        "this is an original-layout LLaVA checkpoint that is not LLaVA-1.5: take a copy in"
        f" transformers' own layout, such as {copy}, or {server_advice()}"
    )


def own_family(config: Mapping[str, Any]) -> str | None:
    family = OWN_FAMILIES.get(str(config.get("model_type")))
    if family is None or (family == "qwen-vl" and "visual" not in config):
        return None
    text_config = config.get("text_config")
    if family == "otter" and isinstance(text_config, Mapping):
        family = "otter-llama" if text_config.get("model_type") == "llama" else family
    if family == "qwen-vl" and str(config.get("_name_or_path")).rstrip("/").endswith("-Chat"):
        family = "qwen-vl-chat"
    return f"this is a checkpoint in the official layout of {family}: load it with --model {family}"


def authors_layout(config: Mapping[str, Any]) -> str | None:
    kind = str(config.get("model_type"))
    if native_copy(kind) is None or kind in OPEN_MODELS:
        return None
    return f"this is the layout of its authors' own code, {code_advice(kind)}"


def mlx(config: Mapping[str, Any]) -> str | None:
    quantization = config.get("quantization")
    if not isinstance(quantization, Mapping) or "bits" not in quantization:
        return None
    return MLX


def text_model(folder: Path, config: Mapping[str, Any]) -> str | None:
    """Return the same for a folder that lacks an image processor alone."""
    kind = config.get("model_type")
    if not isinstance(kind, str) or kind in OPEN_MODELS or missing_weights(folder):
        return None
    if config.get("auto_map"):
        return f"{folder}/config.json: auto_map names code of the checkpoint, {code_advice(kind)}"
    return (
        f"{folder} has no image processor (preprocessor_config.json), like models of the type"
        f" {kind!r} that read text only: take a model that 'mllmaug-tui models' lists as tried,"
        " or download that file, too, if its repository has it"
    )
