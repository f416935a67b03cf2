"""Merging an adapter (LoRA and others of peft) into the weights of a loaded model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers.conversion_mapping import get_model_conversion_mapping
from transformers.core_model_loading import WeightRenaming, rename_source_key

from engine.captioners.base import CheckpointError
from engine.captioners.checkpoints.adapters import CONFIG, adapter_weights, incomplete_adapter
from engine.captioners.checkpoints.assembly import summarise_keys
from engine.captioners.checkpoints.weights import Weights, read_file
from engine.captioners.config_files import AGAIN, read_json, server_advice
from engine.captioners.errors import first_line
from engine.hardware.memory import is_out_of_memory

ELSEWHERE = f"merge it with the program that trained it, or {server_advice()}"
PREFIX = "base_model.model."
"""What peft puts before the names of a model's weights."""


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
    file = adapter_weights(folder)
    if problem is not None or file is None:
        raise CheckpointError(str(problem))
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
        weights = renamed(read_file(file), model)
        if not all(bool(it.isfinite().all()) for it in weights.values()):
            raise CheckpointError(f"{file} holds values that are not finite numbers: {AGAIN}")
        found = peft.set_peft_model_state_dict(adapted, weights)
        missing = [key for key in found.missing_keys if adapted.base_model.prefix in key]
        merged = adapted.merge_and_unload()
    except CheckpointError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        raise CheckpointError(
            f"the adapter {folder} ({kind}) cannot be merged into this model"
            f" ({first_line(error)}): name the base model of its {CONFIG}, or {ELSEWHERE}"
        ) from error
    unmatched = sorted({*missing, *found.unexpected_keys})
    if unmatched:
        raise CheckpointError(
            f"the adapter {folder} was trained for another model: one of the two lacks"
            f" {summarise_keys(unmatched)}; name the base model of its {CONFIG}, or {ELSEWHERE}"
        )
    return merged


def renamed(weights: Weights, model: Any) -> Weights:
    """Return an adapter's weights by the names that its model's layers have now.

    Those that were trained with an earlier transformers have the names of then, by which peft
    0.21.2 finds only some; transformers renames a checkpoint's in the same way.
    """
    rules = [it for it in get_model_conversion_mapping(model) if isinstance(it, WeightRenaming)]
    return {
        PREFIX + rename_source_key(key.removeprefix(PREFIX), rules, [])[0]: tensor
        for key, tensor in weights.items()
    }
