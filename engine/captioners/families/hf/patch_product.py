"""The convolution by which heirs of Qwen2-VL embed patches, as the matrix product that it is.

Its kernel covers each patch just once, but torch's convolution in three dimensions takes three to
four times as long on a CPU (torch 2.13, 3,600 patches into 128 and 1,280 values).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.functional import linear


class PatchProduct(nn.Conv3d):
    """A convolution that multiplies inputs of its kernel's size."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if input.shape[1:] != self.weight.shape[1:]:
            return super().forward(input)
        embeds = linear(input.flatten(1), self.weight.flatten(1), self.bias)
        return embeds[:, :, None, None, None]


def multiply_patches(model: Any, enabled: bool) -> None:
    """Have a model embed patches by matrix products, or by its own convolutions again."""
    old, new = (nn.Conv3d, PatchProduct) if enabled else (PatchProduct, nn.Conv3d)
    for module in model.modules():
        if type(module) is old and not any(module.padding) and module.groups == 1:
            module.__class__ = new
