"""Loading the weights of a checkpoint into transformers' model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoModelForImageTextToText
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING,
    MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING,
)
from transformers.utils.logging import disable_progress_bar

from engine.captioners.base import CheckpointError, LoadedCheckpoint
from engine.captioners.checkpoints.assembly import check_host_memory, summarise_keys
from engine.captioners.checkpoints.weights import read_folder
from engine.captioners.config_files import read_json, server_advice
from engine.captioners.errors import first_line
from engine.captioners.open_models import refusal_of_type


def has_model(model_type: str) -> bool:
    """Return True if transformers itself can caption with this type of model."""
    return (
        model_type in CONFIG_MAPPING
        and CONFIG_MAPPING[model_type] in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING
    )


def has_class(name: str) -> bool:
    """Return True if transformers has a class of this name, which need not be importable here."""
    return any(hasattr(transformers, it) for it in (name, name.removesuffix("Fast")))


def check_type(folder: Path) -> None:
    """Raise `CheckpointError`, with a way out, for a type of model that captions no images."""
    config = read_json(folder / "config.json")
    if "mm_vision_tower" in config:
        # from_pretrained would read it as a default 7B config and draw the weights at random.
        raise CheckpointError(
            f"{folder} is an original-layout LLaVA checkpoint: load it with --model llava-1.5"
        )
    refusal = refusal_of_type(config)
    if refusal is not None:
        raise CheckpointError(f"{folder}: {refusal}")
    model_type = config.get("model_type")
    if isinstance(model_type, str) and model_type in CONFIG_MAPPING and not has_model(model_type):
        is_text = CONFIG_MAPPING[model_type] in MODEL_FOR_CAUSAL_LM_MAPPING
        what = "writes text and takes no image" if is_text else "is no model that describes images"
        raise CheckpointError(
            f"{folder}: a model of the type {model_type!r} is no captioner: it {what}; take one"
            f" that 'mllmaug-tui models' lists, or {server_advice()}"
        )


def load_model(
    folder: Path,
    dtype: torch.dtype,
    device: str = "cpu",
    report: Callable[[str], None] = lambda _: None,
) -> tuple[Any, LoadedCheckpoint]:
    """Return the model of a checkpoint folder.

    No weight is left random; keys that the model does not know are ignored and listed in the
    `LoadedCheckpoint`. Raises `CheckpointError`, and whatever `check_host_memory` raises.
    """
    config = read_json(folder / "config.json")
    # On the way to a GPU the weights lie in this machine's memory, too.
    instead = "a GPU or a larger machine" if device == "cpu" else "a larger machine"
    check_host_memory(read_folder(folder), dtype, folder, instead)
    report("reading weights")
    disable_progress_bar()
    try:
        # Mismatched sizes are let through and named below; transformers' error would not name them.
        model, info = AutoModelForImageTextToText.from_pretrained(
            folder,
            dtype=dtype,
            local_files_only=True,
            trust_remote_code=False,
            weights_only=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
        )
    except (torch.OutOfMemoryError, MemoryError):
        raise
    except Exception as error:
        raise CheckpointError(
            f"{folder} cannot be loaded as {config.get('model_type')!r}: {first_line(error)}"
        ) from error
    for problem in ("missing_keys", "mismatched_keys"):
        keys = sorted(map(str, info[problem]))
        if keys:
            raise CheckpointError(f"{folder}: {problem.replace('_', ' ')}: {summarise_keys(keys)}")
    model = model.to(device).eval().requires_grad_(False)
    loaded = LoadedCheckpoint(
        layout=f"Hugging Face, {config.get('model_type')}",
        dtype=str(dtype).removeprefix("torch."),
        parameters=model.num_parameters(),
        bytes=sum(it.numel() * it.element_size() for it in model.parameters()),
        unused_keys=tuple(sorted(map(str, info["unexpected_keys"]))),
    )
    return model, loaded
