"""How many rows of a batch go through the vision side and through prefill at a time.

The temporary tensors of a layer grow with rows and tokens, in prefill to a hundred times those of a
decode step. So a batch is read in slices of rows, and only its decode steps run all rows together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import nn

CPU_BYTES = 32 << 20
"""Bytes that a temporary tensor has to stay below on a CPU. glibc's malloc maps larger ones anew
each time, whatever its settings are (`DEFAULT_MMAP_THRESHOLD_MAX` in malloc.c): on a model of 359
million parameters 220,000 page faults an image."""
GPU_SHARE = 1 / 128
"""The largest temporary tensor on a GPU, as a share of its memory. A layer has several of them, and
a slice of more than some thousand tokens is no faster."""


def slice_rows(row_bytes: int, device: torch.device) -> int:
    """Return the number of rows in a slice, if a row's largest temporary tensor has `row_bytes`."""
    if device.type == "cuda":
        limit = int(torch.cuda.get_device_properties(device).total_memory * GPU_SHARE)
    else:
        limit = CPU_BYTES - 1
    return max(1, limit // row_bytes)


def widest_layer(*modules: nn.Module) -> int:
    """Return the largest number of outputs that a linear layer of the modules has."""
    layers = [layer for module in modules for layer in module.modules()]
    return max(layer.out_features for layer in layers if isinstance(layer, nn.Linear))


def encode_slices(
    inputs: Sequence[Any], rows: int, encode: Callable[[Sequence[Any]], torch.Tensor]
) -> Iterator[torch.Tensor]:
    """Yield the image features of `rows` prepared inputs at a time."""
    for first in range(0, len(inputs), rows):
        yield encode(inputs[first : first + rows])
