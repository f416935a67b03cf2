"""What the layouts share: untrained tensors by official key, and a trained model's by the same."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import nn

from engine.captioners.checkpoints.assembly import Recipe, state
from engine.captioners.checkpoints.weights import Weights, read_folder
from engine.demo import checkpoint

Shapes = dict[str, tuple[int, ...]]
GATE = 0.5
"""Flamingo's gates start shut to spare a trained language model; this one is not trained yet."""


def linear(key: str, width: int, inner: int, bias: bool = True) -> Shapes:
    """A layer from `width` to `inner`."""
    found: Shapes = {f"{key}.weight": (inner, width)}
    return found | {f"{key}.bias": (inner,)} if bias else found


def norm(key: str, width: int, bias: bool = True) -> Shapes:
    found: Shapes = {f"{key}.weight": (width,)}
    return found | {f"{key}.bias": (width,)} if bias else found


def untrained(shapes: Shapes) -> Weights:
    return {key: draw(key, shape) for key, shape in shapes.items()}


def draw(key: str, shape: tuple[int, ...]) -> torch.Tensor:
    if key.endswith("gate"):
        return torch.full(shape, GATE)
    if key.endswith("bias"):
        return torch.zeros(shape)
    if len(shape) == 1 and key.endswith("weight"):
        return torch.ones(shape)
    fan_in = math.prod(shape[1:])
    found: torch.Tensor = torch.randn(shape) * min(0.05, fan_in**-0.5)
    return found


def half(weights: Mapping[str, torch.Tensor]) -> Weights:
    return {key: tensor.detach().to(torch.float16).contiguous() for key, tensor in weights.items()}


def unassemble(model: nn.Module, recipe: Callable[[str], Recipe]) -> Weights:
    """The model's tensors under the keys they were read from; those made of several, or of a part
    of one, are left to the caller."""
    found: Weights = {}
    recipes = {name: recipe(name) for name in state(model)}
    uses = [key for made in recipes.values() for key in made.keys]
    for name, tensor in state(model).items():
        keys = recipes[name].keys
        if len(keys) == 1 and uses.count(keys[0]) == 1:
            found[keys[0]] = tensor
    return found


def trained_tower() -> Weights:
    """The vision tower of the demo LLaVA, keys as CLIP's own: the others start from it."""
    return {
        key.split("vision_tower.")[-1].removeprefix("vision_model."): value.float()
        for key, value in read_folder(checkpoint("llava-1.5")).items()
        if "vision_tower." in key
    }
