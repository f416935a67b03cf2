"""Adapters (LoRA and others that peft writes): which folder is one, and what it lacks.

A checkpoint is never loaded without an adapter that lies in its folder. Imports no torch.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from shlex import quote

from engine.captioners.checkpoints.folder_kinds import fake
from engine.captioners.checkpoints.hub import download_command, repository_name
from engine.captioners.checkpoints.layouts import missing_weights, read_json_or_empty

CONFIG = "adapter_config.json"
WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")
"""Names of the files with an adapter's weights; the first that is there counts."""
UNMERGED = re.compile(r".*\.(lora_\w+|ia3_l|base_layer|modules_to_save)\..*")
"""A pattern of whole keys that peft gives the weights of a model with an adapter in it."""
LLAVA_REST = "non_lora_trainables.bin"
"""What LLaVA's own training writes beside an adapter, which peft does not know."""


def adapter_in_place_of_model(folder: Path, takes_adapters: bool) -> str | None:
    """Return, in a sentence, what to do with a checkpoint folder that has an adapter in it.

    The result is None for a folder without one. `takes_adapters` says whether the model's family
    has the setting `adapter`.
    """
    if not (folder / CONFIG).is_file():
        return None
    if (folder / LLAVA_REST).is_file():
        return (
            f"{folder} is an adapter of LLaVA's own training ({LLAVA_REST}): merge it with LLaVA's"
            " scripts/merge_lora_weights.py, and name the folder that this writes"
        )
    if not takes_adapters:
        return (
            f"{folder} has an adapter in it ({CONFIG}), which models of this family cannot use:"
            " merge it into its base model (peft's merge_and_unload), save that and name its folder"
        )
    if not missing_weights(folder):
        return (
            f"{folder} has an adapter beside its weights ({CONFIG}), and does not say which"
            " of them to use: move the adapter's files to another folder and name it, --set"
            " NAME.adapter=FOLDER, or remove them if they are merged into the weights already"
        )
    base = str(read_json_or_empty(folder / CONFIG).get("base_model_name_or_path") or "")
    base = base if base.isprintable() else ""  # it may come from anybody, and goes to a terminal
    repository = repository_name(base)
    source = f" ({download_command(repository)} gets it)" if repository else ""
    base_folder = quote(base) if base and Path(base).is_dir() else "FOLDER"
    return (
        f"{folder} is an adapter{f' of {base}' if base else ''}, not a model: name the folder of"
        f" its base model{source} and the adapter, --model NAME=hf:{base_folder} --set"
        f" NAME.adapter={quote(str(folder))}"
    )


def incomplete_adapter(folder: Path) -> str | None:
    """Return, in a sentence, why the setting `adapter` cannot be this folder; None if it can."""
    if not (folder / CONFIG).is_file():
        return f"adapter: {folder} lacks {CONFIG}: name the folder that peft wrote"
    weights = adapter_weights(folder)
    if weights is None:
        return f"adapter: {folder} lacks {WEIGHTS[0]}: download it again"
    return fake(weights)


def adapter_weights(folder: Path) -> Path | None:
    """Return the file with an adapter's weights; None if there is none."""
    return next((folder / name for name in WEIGHTS if (folder / name).is_file()), None)


def unmerged_adapter(folder: Path, keys: Iterable[str]) -> str | None:
    """Return, in a sentence, what to do with weights among which an adapter's lie; else None.

    `keys` are those of the folder's weights that its model does not have.
    """
    found = next(filter(UNMERGED.fullmatch, keys), None)
    if found is None:
        return None
    return (
        f"{folder} has the weights of an adapter among its own ({found}), which would not be"
        " loaded: merge them with the program that trained it (peft's merge_and_unload), and save"
        " the model"
    )
