"""Matrix products on a CPU by oneDNN: of int8, and of float32 where it is faster than torch's MKL.

On processors of AMD, MKL takes more than twice as long as oneDNN for any number of rows. In a
decode step rows are few, and how a weight lies in memory matters as well: oneDNN reads it packed,
in the blocks that its kernels use.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import torch
from torch import nn
from torch.nn.functional import linear

ROWS = 48
"""Rows for which weights are packed, and both libraries are tried: a decode step's at a usual batch
size. Weights that are packed for it are no slower with other numbers of rows."""
TRIED_WEIGHT = (2048, 1024)
"""Outputs and inputs of the weight with which both libraries are tried."""
MIN_GAIN = 1.2
"""How many times as fast oneDNN must be to be taken. Where both are about as fast, each run takes
the same one, so that sums are rounded alike."""
MIN_MULTIPLICATIONS = 2**20
"""Fewest multiplications for which oneDNN is called: its call takes 10 us longer than MKL's."""
MIN_PACKED = 2**18
"""Fewest numbers of a weight that is packed. A smaller one is better joined with its neighbours."""


class CpuLinear(nn.Linear):
    """A linear layer of float32 on a CPU, whose weight may be packed."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return product(input, self.weight, self.bias)


def product(
    rows: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None
) -> torch.Tensor:
    """Map rows (..., in) to (..., out) by a weight (out, in), as it is or packed.

    While a model is trained, torch's own product is taken: oneDNN's has no gradient.
    """
    is_small = rows.numel() * len(weight) < MIN_MULTIPLICATIONS
    if not weight.is_mkldnn and (is_small or torch.is_grad_enabled()):
        return linear(rows, weight, bias)
    output: torch.Tensor = torch.ops.mkldnn._linear_pointwise(rows, weight, bias, "none", [], "")
    return output


def pack(weight: torch.Tensor) -> torch.Tensor:
    """Return a weight (out, in) in the form in which oneDNN multiplies few rows by it."""
    packed: torch.Tensor = torch.ops.mkldnn._reorder_linear_weight(weight, ROWS)
    return packed


def has_packed_int8(weight: torch.Tensor) -> bool:
    """Return True if `int8_product` fits a weight: it is large, torch and the processor have it."""
    supports_vnni = getattr(torch.cpu, "_is_vnni_supported", lambda: False)
    has_operators = has_all(torch.ops.onednn, "qlinear_prepack", "qlinear_pointwise")
    return weight.numel() >= MIN_PACKED and has_operators and supports_vnni()


def pack_int8(weight: torch.Tensor) -> torch.Tensor:
    """Return an int8 weight (out, in) in the form that `int8_product` takes."""
    packed: torch.Tensor = torch.ops.onednn.qlinear_prepack(weight, None)
    return packed


def int8_product(rows: torch.Tensor, packed: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Multiply int8 rows (M, in) by a packed weight whose rows have a scale (out,).

    Returns float32 (M, out). The sums are whole numbers, as `torch._int_mm` has them.
    """
    # oneDNN has no kernel for signed rows: so they are moved by 128, which it takes off the sums.
    unsigned = rows.view(torch.uint8).bitwise_xor(128)
    no_offset = torch.zeros(1, dtype=torch.int64)
    output: torch.Tensor = torch.ops.onednn.qlinear_pointwise(
        *(unsigned, 1.0, 128, packed, scale, no_offset, None),
        *(1.0, 0, torch.float32, "none", [], ""),
    )
    return output


def has_all(operators: Any, *names: str) -> bool:
    """Return True if torch was built with all these operators."""
    return all(hasattr(operators, name) for name in names)


def use_fast_products(model: nn.Module, *decoder: nn.Module) -> bool:
    """Have a model's linear layers multiply by oneDNN: those of float32, on a CPU where that pays.

    `decoder` are the parts that run the decode steps: their large weights are packed, one after the
    other, so that there is no second copy of them. Returns True if any were.
    """
    layers = [it for it in model.modules() if type(it) is nn.Linear and is_fit(it.weight)]
    if not layers or not is_onednn_faster():
        return False
    embeddings = {id(it.weight) for it in model.modules() if isinstance(it, nn.Embedding)}
    decoding = {it for part in decoder for it in part.modules()}
    for layer in layers:
        layer.__class__ = CpuLinear
        weight = layer.weight
        if layer in decoding and weight.numel() >= MIN_PACKED and id(weight) not in embeddings:
            layer.weight = nn.Parameter(pack(weight), requires_grad=False)
    return any(layer.weight.is_mkldnn for layer in layers)


def is_fit(weight: torch.Tensor) -> bool:
    return weight.device.type == "cpu" and weight.dtype == torch.float32


@cache
def is_onednn_faster() -> bool:
    """Return True if this torch has oneDNN, and a packed weight is multiplied faster by it."""
    if not has_all(torch.ops.mkldnn, "_linear_pointwise", "_reorder_linear_weight"):
        return False
    with torch.inference_mode():
        weight = torch.full(TRIED_WEIGHT, 0.5)
        packed, rows = pack(weight), torch.full((ROWS, TRIED_WEIGHT[1]), 0.5)
        ways = partial(linear, rows, weight), partial(product, rows, packed)
        usual, onednn = (min(seconds_of(way) for _ in range(4)) for way in ways)
    return usual > MIN_GAIN * onednn


def seconds_of(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
