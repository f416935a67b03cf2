"""Merging an adapter (LoRA and others of peft) into the weights of a loaded model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.captioners.base import CheckpointError
from engine.captioners.checkpoints.adapters import CONFIG, incomplete_adapter
from engine.captioners.checkpoints.assembly import summarise_keys
from engine.captioners.config_files import read_json, server_advice
from engine.captioners.errors import first_line
from engine.hardware.memory import is_out_of_memory

ELSEWHERE = f"merge it with the program that trained it, or {server_advice()}"


def merge_adapter(model: Any, folder: Path) -> Any:
    """Return the model with the adapter's changes in its weights, which it then is without peft.

    Raises `CheckpointError` where the adapter is incomplete, does not fit the model, or cannot be
    merged.
    """
    try:
        import peft
    except ImportError as error:
        raise CheckpointError(
            f"the adapter {folder} needs peft: pip install 'mllmaug-tui[adapter]'"
        ) from error
    problem = incomplete_adapter(folder)
    if problem is not None:
        raise CheckpointError(problem)
    stated = read_json(folder / CONFIG)
    kind = stated.get("peft_type")
    if stated.get("megatron_config"):  # peft would import the module that the file names
        raise CheckpointError(f"the adapter {folder} was trained by Megatron: {ELSEWHERE}")
    try:
        config = peft.PeftConfig.from_pretrained(
            str(folder), local_files_only=True, trust_remote_code=False
        )
        config.inference_mode = True
        adapted = peft.PeftModel(model, config)
        if not hasattr(adapted, "merge_and_unload"):
            raise CheckpointError(
                f"the adapter {folder} ({kind}) changes what the model reads, not its weights, and"
                f" cannot be merged: {server_advice()}"
            )
        found = adapted.load_adapter(
            str(folder),
            "default",
            torch_device=str(model.device),
            key_mapping=getattr(model, "_checkpoint_conversion_mapping", {}),
        )
        merged = adapted.merge_and_unload(safe_merge=True)
    except CheckpointError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        raise CheckpointError(
            f"the adapter {folder} ({kind}) cannot be merged into this model"
            f" ({first_line(error)}): name the base model of its {CONFIG}, or {ELSEWHERE}"
        ) from error
    unmatched = sorted({*found.missing_keys, *found.unexpected_keys})
    if unmatched:
        raise CheckpointError(
            f"the adapter {folder} was trained for another model, for one of the two lacks"
            f" {summarise_keys(unmatched)}: name the base model of its {CONFIG}"
        )
    return merged
