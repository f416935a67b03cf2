"""Weights put into a model: strictly, and without a second copy of them in memory.

A model is built without memory (torch's meta device) and takes each tensor once, in the dtype
and on the device where it will be used. Nothing is initialised at random, so nothing can be left
so: a weight that no file holds is an error that names it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from engine.captioners.base import CheckpointError, Loaded
from engine.captioners.checkpoints.weights import Weights
from engine.hardware.memory import room

SHOWN = 3
GIB = 2**30
REPORTED = 20
"""Reports of progress over one checkpoint."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one of the model's tensors is made of the checkpoint's: one of them, as a rule."""

    keys: tuple[str, ...]
    build: Callable[..., torch.Tensor] = lambda tensor: tensor


def by_rules(rules: Sequence[tuple[str, str]]) -> Callable[[str], Recipe]:
    """Recipes that only rename: the first pattern that matches a name's beginning rewrites it."""
    compiled = [(re.compile(pattern), replacement) for pattern, replacement in rules]

    def recipe(name: str) -> Recipe:
        for pattern, replacement in compiled:
            if pattern.match(name):
                return Recipe((pattern.sub(replacement, name, count=1),))
        return Recipe((name,))

    return recipe


def renamed(weights: Weights, rules: Sequence[tuple[str, str]]) -> Weights:
    """Keys of another layout under the names of the one that the recipes know."""
    found: Weights = {}
    for key, value in weights.items():
        for pattern, replacement in rules:
            if re.match(pattern, key):
                key = re.sub(pattern, replacement, key, count=1)
                break
        found[key] = value
    return found


def assemble(
    model: nn.Module,
    weights: Weights,
    recipe: Callable[[str], Recipe],
    ignored: str,
    dtype: torch.dtype,
    device: str,
    where: Path,
    layout: str,
    report: Callable[[str], None] = lambda _: None,
) -> Loaded:
    """Fills `model`, built on the meta device, and empties `weights`.

    `ignored` is a pattern of whole keys that official files hold and the model does not need.
    Raises `CheckpointError` for a key that is missing, unknown, or of the wrong shape, and as
    `check_room` does.
    """
    targets = state(model)
    twins = tied(model)
    recipes = {name: recipe(name) for name in targets}
    uses = Counter(key for made in recipes.values() for key in made.keys)
    unneeded = [key for key in weights if key not in uses]
    passed_over = [key for key in unneeded if re.fullmatch(ignored, key)]
    unknown = [key for key in unneeded if not re.fullmatch(ignored, key)]
    lacking = [key for key in uses if key not in weights]
    if lacking or unknown:
        told = [("missing keys", lacking), ("unexpected keys", unknown)]
        text = "; ".join(f"{what}: {named(keys)}" for what, keys in told if keys)
        raise CheckpointError(f"{where}: {text}")
    check_shapes(targets, recipes, weights, where)
    if device == "cpu":
        check_room(targets, dtype, where)
    for key in unneeded:
        del weights[key]
    # In the files' order, so that a shard can be let go before the next is read.
    place = {key: number for number, key in enumerate(weights)}
    total = kept = 0
    for number, name in enumerate(sorted(recipes, key=lambda name: place[recipes[name].keys[0]])):
        if number % max(1, len(recipes) // REPORTED) == 0:
            report(f"reading weights, {number * 100 // len(recipes)} %")
        made = recipes[name]
        built = made.build(*(weights[key] for key in made.keys))
        uses.subtract(made.keys)
        for key in made.keys:
            if not uses[key]:
                del weights[key]
        wanted = dtype if built.is_floating_point() else built.dtype
        tensor = built.to(device=device, dtype=wanted).contiguous()
        put(model, name, tensor)
        total += tensor.nbytes
        kept += tensor.nbytes if tensor is built else 0
    for twin, name in twins.items():
        setattr(parent(model, twin), last(twin), model.get_parameter(name))
    rebuild_buffers(model, device)
    model.eval().requires_grad_(False)
    count = sum(parameter.numel() for parameter in model.parameters())
    mapped = 2 * kept > total
    return Loaded(layout, named_dtype(dtype), count, total, tuple(passed_over), mapped)


def named(keys: Sequence[str]) -> str:
    more = f" and {len(keys) - SHOWN} more" if len(keys) > SHOWN else ""
    return ", ".join(keys[:SHOWN]) + more


def state(model: nn.Module) -> dict[str, torch.Tensor]:
    """Parameters and saved buffers by name; tied ones once."""
    kept = set(model.state_dict())
    parameters = dict(model.named_parameters())
    return parameters | {name: it for name, it in model.named_buffers() if name in kept}


def tied(model: nn.Module) -> dict[str, str]:
    """Further names of parameters that the model uses twice, with their first name."""
    first = {id(parameter): name for name, parameter in model.named_parameters()}
    every = model.named_parameters(remove_duplicate=False)
    return {name: first[id(it)] for name, it in every if first[id(it)] != name}


def parent(model: nn.Module, name: str) -> nn.Module:
    return model.get_submodule(name.rpartition(".")[0])


def last(name: str) -> str:
    return name.rpartition(".")[2]


def check_shapes(
    targets: dict[str, torch.Tensor], recipes: dict[str, Recipe], weights: Weights, where: Path
) -> None:
    """On the meta device: nothing is read."""
    for name, made in recipes.items():
        given = [weights[key].to("meta") for key in made.keys]
        try:
            found = tuple(made.build(*given).shape)
        except (RuntimeError, IndexError) as error:
            raise CheckpointError(
                f"{where}: {made.keys[0]} has shape {tuple(given[0].shape)}: {error}"
            ) from error
        if found != tuple(targets[name].shape):
            raise CheckpointError(
                f"{where}: {made.keys[0]} has shape {tuple(given[0].shape)}; the model that the"
                f" other weights and config.json describe needs {tuple(targets[name].shape)}"
                f" for {name}"
            )


def check_room(
    targets: dict[str, torch.Tensor],
    dtype: torch.dtype,
    where: Path,
    instead: str = "a GPU or a larger machine",
) -> None:
    """Before the system ends the process for it.

    Raises `CheckpointError` for weights beyond this machine, and `MemoryError` for weights that do
    not fit beside what runs on it now.
    """
    needed = sum(
        it.numel() * (dtype if it.is_floating_point() else it.dtype).itemsize
        for it in targets.values()
    )
    free, total = room()
    if needed <= free:
        return
    never = needed > total
    there = f"has {total / GIB:.1f} GiB" if never else f"has {free / GIB:.1f} GiB free"
    advice = "dtype=bfloat16 halves that; else take" if dtype == torch.float32 else "take"
    text = (
        f"{where} needs {needed / GIB:.1f} GiB of memory in {named_dtype(dtype)} and this machine"
        f" {there}: {advice} {instead}"
    )
    raise CheckpointError(text) if never else MemoryError(text)


def named_dtype(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def put(model: nn.Module, name: str, tensor: torch.Tensor) -> None:
    module = parent(model, name)
    if last(name) in module._parameters:
        setattr(module, last(name), nn.Parameter(tensor, requires_grad=False))
    else:
        module._buffers[last(name)] = tensor


def rebuild_buffers(model: nn.Module, device: str) -> None:
    """Buffers that no checkpoint holds (rotary frequencies, position ids), as their module makes
    them."""
    for module in model.modules():
        if any(buffer.is_meta for buffer in module.buffers(recurse=False)):
            fresh = type(module)(module.config)
            for name, buffer in fresh.named_buffers(recurse=False):
                module._buffers[name] = buffer.to(device)
