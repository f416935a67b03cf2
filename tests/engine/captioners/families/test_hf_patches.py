"""Patches that are embedded by a matrix product in place of a convolution."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from engine.captioners.families.hf.patch_product import PatchProduct, multiply_patches


@torch.inference_mode()
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("size", [(2, 14, 14), (4, 28, 14)], ids=["a patch", "several"])
def test_it_gives_what_the_convolution_gives(bias: bool, size: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    kernel = (2, 14, 14)
    model = nn.Sequential(nn.Conv3d(3, 8, kernel, stride=kernel, bias=bias))
    pixels = torch.randn(5, 3, *size)
    expected = model(pixels)
    multiply_patches(model, True)
    assert type(model[0]) is PatchProduct
    assert torch.allclose(model(pixels), expected, atol=1e-5)
    multiply_patches(model, False)
    assert type(model[0]) is nn.Conv3d
    assert torch.equal(model(pixels), expected)


def test_a_convolution_that_pads_stays() -> None:
    model = nn.Sequential(nn.Conv3d(3, 8, 3, padding=1))
    multiply_patches(model, True)
    assert type(model[0]) is nn.Conv3d
