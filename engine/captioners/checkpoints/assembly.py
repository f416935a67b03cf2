"""Filling a model with the weights of a checkpoint: strictly, and without a second copy in memory.

A model is built without memory (on torch's meta device) and takes each tensor once, in the dtype
and on the device where it will be used. Nothing is initialised at random, so nothing can stay
random: a weight that no file has is an error that names it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from engine.captioners.base import CheckpointError, LoadedCheckpoint
from engine.captioners.checkpoints.weights import Weights
from engine.hardware.memory import host_memory

SHOWN_KEYS = 3
"""Number of keys that an error names; it counts the others."""
GIB = 2**30
PROGRESS_REPORTS = 20
"""Number of progress reports during one checkpoint."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one tensor of the model is made from tensors of the checkpoint, usually from one."""

    keys: tuple[str, ...]
    """Keys of the checkpoint."""
    build: Callable[..., torch.Tensor] = lambda tensor: tensor
    """Makes the model's tensor; its arguments are the tensors of `keys`."""


def recipe_by_rules(rules: Sequence[tuple[str, str]]) -> Callable[[str], Recipe]:
    """Return a function from names in the model to recipes that only rename.

    `rules` are patterns and their replacements. The first pattern that matches the beginning of a
    name rewrites it; a name that none matches is also the key.
    """
    compiled = [(re.compile(pattern), replacement) for pattern, replacement in rules]

    def recipe(name: str) -> Recipe:
        for pattern, replacement in compiled:
            if pattern.match(name):
                return Recipe((pattern.sub(replacement, name, count=1),))
        return Recipe((name,))

    return recipe


def rename_keys(weights: Weights, rules: Sequence[tuple[str, str]]) -> Weights:
    """Return the weights under the keys of the layout that the recipes know.

    `rules` are patterns and their replacements; the first that matches the beginning of a key
    rewrites it.
    """
    renamed: Weights = {}
    for key, value in weights.items():
        for pattern, replacement in rules:
            if re.match(pattern, key):
                key = re.sub(pattern, replacement, key, count=1)
                break
        renamed[key] = value
    return renamed


def assemble(
    model: nn.Module,
    weights: Weights,
    recipe: Callable[[str], Recipe],
    unused: str,
    dtype: torch.dtype,
    device: str,
    path: Path,
    layout: str,
    report: Callable[[str], None] = lambda _: None,
) -> LoadedCheckpoint:
    """Fill `model`, which was built on the meta device; `weights` is empty afterwards.

    `recipe` gives for each name in the model how its tensor is made. `unused` is a pattern of whole
    keys that official files contain and the model does not need. `path` and `layout` are for
    messages. Raises `CheckpointError` for a key that is missing, unknown or of the wrong shape, and
    whatever `check_host_memory` raises.
    """
    targets = named_tensors(model)
    aliases = tied_parameters(model)
    recipes = {name: recipe(name) for name in targets}
    uses = Counter(key for it in recipes.values() for key in it.keys)
    unneeded = [key for key in weights if key not in uses]
    unused_keys = [key for key in unneeded if re.fullmatch(unused, key)]
    unexpected = [key for key in unneeded if not re.fullmatch(unused, key)]
    missing = [key for key in uses if key not in weights]
    if missing or unexpected:
        problems = [("missing keys", missing), ("unexpected keys", unexpected)]
        text = "; ".join(f"{what}: {summarise_keys(keys)}" for what, keys in problems if keys)
        raise CheckpointError(f"{path}: {text}")
    check_shapes(targets, recipes, weights, path)
    if device == "cpu":
        check_host_memory(targets, dtype, path)
    for key in unneeded:
        del weights[key]
    # In the order of the files, so that the map of one file can be freed before the next is read.
    order = {key: number for number, key in enumerate(weights)}
    total_bytes = mapped_bytes = 0
    for number, name in enumerate(sorted(recipes, key=lambda name: order[recipes[name].keys[0]])):
        if number % max(1, len(recipes) // PROGRESS_REPORTS) == 0:
            report(f"reading weights, {number * 100 // len(recipes)} %")
        recipe_of_name = recipes[name]
        built = recipe_of_name.build(*(weights[key] for key in recipe_of_name.keys))
        uses.subtract(recipe_of_name.keys)
        for key in recipe_of_name.keys:
            if not uses[key]:
                del weights[key]
        target_dtype = dtype if built.is_floating_point() else built.dtype
        tensor = built.to(device=device, dtype=target_dtype).contiguous()
        set_tensor(model, name, tensor)
        total_bytes += tensor.nbytes
        # A tensor that needed no conversion is still the memory map of its file.
        mapped_bytes += tensor.nbytes if tensor is built else 0
    for alias, name in aliases.items():
        setattr(parent_module(model, alias), last_part(alias), model.get_parameter(name))
    rebuild_buffers(model, device)
    model.eval().requires_grad_(False)
    return LoadedCheckpoint(
        layout=layout,
        dtype=dtype_name(dtype),
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        bytes=total_bytes,
        unused_keys=tuple(unused_keys),
        memory_mapped=2 * mapped_bytes > total_bytes,
    )


def summarise_keys(keys: Sequence[str]) -> str:
    """Return the first keys with commas, and how many more there are."""
    more = f" and {len(keys) - SHOWN_KEYS} more" if len(keys) > SHOWN_KEYS else ""
    return ", ".join(keys[:SHOWN_KEYS]) + more


def named_tensors(model: nn.Module) -> dict[str, torch.Tensor]:
    """Return the parameters and the saved buffers by name; tied parameters are there once."""
    saved = set(model.state_dict())
    parameters = dict(model.named_parameters())
    return parameters | {name: it for name, it in model.named_buffers() if name in saved}


def tied_parameters(model: nn.Module) -> dict[str, str]:
    """Return, for parameters with several names in the model, their first name by the others."""
    first = {id(parameter): name for name, parameter in model.named_parameters()}
    all_names = model.named_parameters(remove_duplicate=False)
    return {name: first[id(it)] for name, it in all_names if first[id(it)] != name}


def parent_module(model: nn.Module, name: str) -> nn.Module:
    return model.get_submodule(name.rpartition(".")[0])


def last_part(name: str) -> str:
    return name.rpartition(".")[2]


def check_shapes(
    targets: dict[str, torch.Tensor], recipes: dict[str, Recipe], weights: Weights, path: Path
) -> None:
    """Raise `CheckpointError` for a tensor whose shape is not the model's.

    The recipes run on the meta device, so no weight is read.
    """
    for name, recipe in recipes.items():
        given = [weights[key].to("meta") for key in recipe.keys]
        try:
            shape = tuple(recipe.build(*given).shape)
        except (RuntimeError, IndexError) as error:
            raise CheckpointError(
                f"{path}: {recipe.keys[0]} has shape {tuple(given[0].shape)}: {error}"
            ) from error
        if shape != tuple(targets[name].shape):
            raise CheckpointError(
                f"{path}: {recipe.keys[0]} has shape {tuple(given[0].shape)}; the model that the"
                f" other weights and config.json describe needs {tuple(targets[name].shape)}"
                f" for {name}"
            )


def check_host_memory(
    targets: dict[str, torch.Tensor],
    dtype: torch.dtype,
    path: Path,
    instead: str = "a GPU or a larger machine",
) -> None:
    """Refuse weights that do not fit into memory, before the system kills the process for it.

    `instead` names what to load the model on. Raises `CheckpointError` for weights that this
    machine can never hold, and `MemoryError` for weights that do not fit beside what runs now.
    """
    needed = sum(
        it.numel() * (dtype if it.is_floating_point() else it.dtype).itemsize
        for it in targets.values()
    )
    free, total = host_memory()
    if needed <= free:
        return
    never = needed > total
    memory = f"has {total / GIB:.1f} GiB" if never else f"has {free / GIB:.1f} GiB free"
    advice = "dtype=bfloat16 halves that; else take" if dtype == torch.float32 else "take"
    text = (
        f"{path} needs {needed / GIB:.1f} GiB of memory in {dtype_name(dtype)} and this machine"
        f" {memory}: {advice} {instead}"
    )
    raise CheckpointError(text) if never else MemoryError(text)


def dtype_name(dtype: torch.dtype) -> str:
    """Return the name without `torch.`, as settings have it."""
    return str(dtype).removeprefix("torch.")


def set_tensor(model: nn.Module, name: str, tensor: torch.Tensor) -> None:
    """Put a tensor into the place of the model's parameter or buffer of this name."""
    module = parent_module(model, name)
    if last_part(name) in module._parameters:
        setattr(module, last_part(name), nn.Parameter(tensor, requires_grad=False))
    else:
        module._buffers[last_part(name)] = tensor


def rebuild_buffers(model: nn.Module, device: str) -> None:
    """Make the buffers that no checkpoint has (rotary frequencies, position ids).

    Each module that has such a buffer is built again from its config, on a real device.
    """
    for module in model.modules():
        if any(buffer.is_meta for buffer in module.buffers(recurse=False)):
            fresh = type(module)(module.config)
            for name, buffer in fresh.named_buffers(recurse=False):
                module._buffers[name] = buffer.to(device)
