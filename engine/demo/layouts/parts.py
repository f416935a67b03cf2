"""Parts of all layouts: untrained tensors, and the tensors of a trained model, by official keys."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import nn

from engine.captioners.checkpoints.assembly import Recipe, named_tensors
from engine.captioners.checkpoints.weights import Weights, read_folder
from engine.demo import checkpoint

Shapes = dict[str, tuple[int, ...]]
"""Shapes of tensors by their official keys."""
FIRST_GATE = 0.5
"""First value of the gates of cross-attention. Flamingo's begin at 0, to leave a trained language
model as it is; here the language model is untrained, too."""


def linear_shapes(key: str, width_in: int, width_out: int, bias: bool = True) -> Shapes:
    """Return the shapes of a linear layer."""
    shapes: Shapes = {f"{key}.weight": (width_out, width_in)}
    return shapes | {f"{key}.bias": (width_out,)} if bias else shapes


def norm_shapes(key: str, width: int, bias: bool = True) -> Shapes:
    """Return the shapes of a norm."""
    shapes: Shapes = {f"{key}.weight": (width,)}
    return shapes | {f"{key}.bias": (width,)} if bias else shapes


def draw_weights(shapes: Shapes) -> Weights:
    """Draw untrained tensors in these shapes, by torch's global generator."""
    return {key: draw_tensor(key, shape) for key, shape in shapes.items()}


def draw_tensor(key: str, shape: tuple[int, ...]) -> torch.Tensor:
    """Return a constant for gates, biases and norms, and random numbers for matrices."""
    if key.endswith("gate"):
        return torch.full(shape, FIRST_GATE)
    if key.endswith("bias"):
        return torch.zeros(shape)
    if len(shape) == 1 and key.endswith("weight"):
        return torch.ones(shape)
    fan_in = math.prod(shape[1:])
    tensor: torch.Tensor = torch.randn(shape) * min(0.05, fan_in**-0.5)
    return tensor


def to_float16(weights: Mapping[str, torch.Tensor]) -> Weights:
    return {key: tensor.detach().to(torch.float16).contiguous() for key, tensor in weights.items()}


def weights_by_key(model: nn.Module, recipe: Callable[[str], Recipe]) -> Weights:
    """Return the model's tensors by the keys of the checkpoint from which they were made.

    A tensor that was made from several keys, or from a part of one, is left out.
    """
    weights: Weights = {}
    recipes = {name: recipe(name) for name in named_tensors(model)}
    uses = [key for it in recipes.values() for key in it.keys]
    for name, tensor in named_tensors(model).items():
        keys = recipes[name].keys
        if len(keys) == 1 and uses.count(keys[0]) == 1:
            weights[keys[0]] = tensor
    return weights


def demo_llava_tower() -> Weights:
    """Return the trained vision tower of the demo LLaVA, by CLIP's own keys.

    The towers of the other families start from it.
    """
    return {
        key.split("vision_tower.")[-1].removeprefix("vision_model."): value.float()
        for key, value in read_folder(checkpoint("llava-1.5")).items()
        if "vision_tower." in key
    }
