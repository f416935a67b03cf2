"""Loading the weights of a checkpoint into transformers' model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import safe_open
from transformers import AutoModelForImageTextToText
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING,
    MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING,
)
from transformers.utils.logging import disable_progress_bar

from engine.captioners.base import CheckpointError, LoadedCheckpoint
from engine.captioners.checkpoints.adapters import unmerged_adapter
from engine.captioners.checkpoints.assembly import check_host_memory, summarise_keys
from engine.captioners.checkpoints.config_kinds import MLX
from engine.captioners.checkpoints.foreign_code import copy_advice
from engine.captioners.checkpoints.packages import check_quantizer, missing_package
from engine.captioners.checkpoints.weights import read_folder, weight_files
from engine.captioners.config_files import AGAIN, read_json, server_advice
from engine.captioners.errors import first_line
from engine.captioners.families.hf.adapter import merge_adapter


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
    model_type = config.get("model_type")
    if not isinstance(model_type, str):
        raise CheckpointError(f"{folder}/config.json names no model_type: {AGAIN}")
    if model_type not in CONFIG_MAPPING:
        raise CheckpointError(
            f"{folder}: transformers {transformers.__version__} has no model of the type"
            f" {model_type!r}: {copy_advice(model_type)}; a newer version may have it"
        )
    if not has_model(model_type):
        is_text = CONFIG_MAPPING[model_type] in MODEL_FOR_CAUSAL_LM_MAPPING
        what = "writes text and takes no image" if is_text else "does not describe images"
        raise CheckpointError(
            f"{folder}: a model of the type {model_type!r} is not a captioner: it {what}; take one"
            f" that 'mllmaug-tui models' lists, or {server_advice()}"
        )
    ours = MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING[CONFIG_MAPPING[model_type]].__name__
    named = config.get("architectures")
    others = [it for it in named if it != ours] if isinstance(named, list) else []
    if others == named and any(isinstance(it, str) and has_class(it) for it in others):
        raise CheckpointError(
            f"{folder}: its weights are those of {others[0]}, which is not a captioner: take the"
            f" repository with those of {ours}, or {server_advice()}"
        )


def check_format(folder: Path) -> None:
    """Raise `CheckpointError` for weights whose file says that another program converted them."""
    first = weight_files(folder)[0]
    if first.suffix != ".safetensors":
        return
    with safe_open(first, framework="pt") as file:
        stated = file.metadata() or {}
    if stated.get("format") == "mlx":
        raise CheckpointError(f"{folder}: {MLX}")


def load_model(
    folder: Path,
    dtype: torch.dtype,
    device: str = "cpu",
    report: Callable[[str], None] = lambda _: None,
    adapter: str | None = None,
    auto_class: Any = AutoModelForImageTextToText,
    thin: Any = None,
) -> tuple[Any, LoadedCheckpoint]:
    """Return the model of a checkpoint folder, with an `adapter`'s folder merged into it.

    `auto_class` is the class of transformers that chooses the model's class. `thin` is the model's
    configuration with fewer layers, of which alone the weights are loaded. No weight is left
    random; keys that the model does not know are ignored and listed in the `LoadedCheckpoint`.
    Raises `CheckpointError`, and whatever `check_host_memory` raises.
    """
    config = read_json(folder / "config.json")
    quantizer = check_quantizer(folder, config)
    # On the way to a GPU the weights lie in this machine's memory, too.
    instead = "a GPU or a larger machine" if device == "cpu" else "a larger machine"
    check_host_memory(read_folder(folder), dtype, folder, instead)
    check_format(folder)
    report("reading weights")
    disable_progress_bar()
    try:
        # Mismatched sizes are let through and named below; transformers' error would not name them.
        model, info = auto_class.from_pretrained(
            folder,
            dtype=dtype,
            local_files_only=True,
            trust_remote_code=False,
            config=thin,
            weights_only=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            # Quantized weights cannot be moved afterwards.
            device_map={"": device} if quantizer else None,
        )
    except (torch.OutOfMemoryError, MemoryError):
        raise
    except ImportError as error:
        raise missing_package(folder, error) from error
    except Exception as error:
        what = f"cannot be loaded as {config.get('model_type')!r} ({first_line(error)})"
        raise CheckpointError(f"{folder} {what}: {AGAIN}") from error
    unused_keys = tuple(sorted(map(str, info["unexpected_keys"])))
    unmerged = unmerged_adapter(folder, unused_keys)
    if unmerged is not None:
        raise CheckpointError(unmerged)
    for problem in ("missing_keys", "mismatched_keys"):
        keys = sorted(map(str, info[problem]))
        if keys:
            what = f"{problem.replace('_', ' ')}: {summarise_keys(keys)}"
            raise CheckpointError(f"{folder}: {what}; {AGAIN}")
    model = model if quantizer else model.to(device)
    layout = f"Hugging Face, {config.get('model_type')}"
    if adapter is not None:
        report("merging the adapter")
        model = merge_adapter(model, Path(adapter))
        layout += f", with the adapter {Path(adapter).name}"
    model = model.eval().requires_grad_(False)
    number_type = str(dtype).removeprefix("torch.")
    loaded = LoadedCheckpoint(
        layout=layout,
        dtype=f"{number_type} and {quantizer}" if quantizer else number_type,
        parameters=model.num_parameters(),
        bytes=sum(it.numel() * it.element_size() for it in model.parameters()),
        unused_keys=unused_keys,
    )
    return model, loaded
