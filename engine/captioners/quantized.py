"""The matrices of a language model's layers in eight bits: half the bytes of bfloat16.

torchao chooses the numbers of a matrix, with a scale for each row. The products are torch's own,
their input brought to eight bits token by token: torchao's are made for `torch.compile`. Launched
one by one they pass over the input in float32 time and again, which may cost what they save,
and its int8 product copies the matrix and waits for the GPU at each call, so that no decode step
could be recorded (torchao 0.18; github.com/pytorch/ao/issues/4872).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import torch
from torch import nn
from torch.nn.functional import pad

from engine.captioners.assembly import last, parent, state
from engine.captioners.base import CheckpointError, Loaded
from engine.errors import BadInput
from engine.extras import extra

INT8_MOST = 127
FP8 = torch.float8_e4m3fn
FP8_CAPABILITY = (8, 9)
LEAST = 1e-12
"""In place of the largest number of a token that is zero all over."""
INT8_ROWS = 32
"""cuBLAS multiplies no fewer than 17 rows of int8; fewer are filled up."""


class Quantized(nn.Module):
    """In the place of an `nn.Linear`."""

    most: float
    """What the largest number of a token becomes."""
    bias: torch.Tensor | None

    def __init__(
        self, weight: torch.Tensor, scale: torch.Tensor, bias: torch.Tensor | None = None
    ) -> None:
        """`weight` (out, in) of eight bits, whose rows count times `scale` (out,)."""
        super().__init__()
        self.weight = nn.Parameter(weight, requires_grad=False)
        self.scale = nn.Parameter(scale, requires_grad=False)
        self.register_parameter("bias", None if bias is None else nn.Parameter(bias, False))

    @classmethod
    def of(cls, linear: nn.Linear) -> Quantized:
        found = cls.chosen(linear.weight)
        return cls(found.qdata, found.scale.flatten(), linear.bias)

    @staticmethod
    def chosen(weight: torch.Tensor) -> Any:
        """torchao's tensor."""
        raise NotImplementedError

    def product(self, rows: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
        """Rows (M, in) to (M, out); `step` (M, 1) in float32 is what the number 1 stands for."""
        raise NotImplementedError

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """(..., in) to (..., out)."""
        rows = hidden.flatten(0, -2)
        largest = torch.linalg.vector_norm(rows, torch.inf, -1, keepdim=True, dtype=torch.float32)
        found = self.product(rows, largest.clamp_(min=LEAST) / self.most)
        if self.bias is not None:
            found += self.bias
        return found.view(*hidden.shape[:-1], -1)


class Int8(Quantized):
    most = INT8_MOST

    @staticmethod
    def chosen(weight: torch.Tensor) -> Any:
        torchao = library()
        return torchao.Int8Tensor.from_hp(weight, torchao.PerRow())

    def product(self, rows: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
        whole = (rows / step).round_().to(torch.int8)
        whole = pad(whole, (0, 0, 0, max(0, INT8_ROWS - len(rows))))
        found = torch._int_mm(whole, self.weight.t())[: len(rows)]
        # The matrix's scale comes first: without it the sums may leave float16.
        made = torch.mul(found, self.scale, out=rows.new_empty(found.shape))
        return made.mul_(step)


class Fp8(Quantized):
    most = torch.finfo(FP8).max

    @staticmethod
    def chosen(weight: torch.Tensor) -> Any:
        torchao = library()
        return torchao.Float8Tensor.from_hp(weight, FP8, torchao.PerRow())

    def product(self, rows: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
        found = torch._scaled_mm(
            (rows / step).to(FP8),
            self.weight.t(),
            scale_a=step,
            scale_b=self.scale[None],
            out_dtype=torch.bfloat16,  # the only one that GPUs have for scales by row
            use_fast_accum=True,
        )
        return found.to(rows.dtype)


KINDS: dict[str, type[Quantized]] = {"int8": Int8, "fp8": Fp8}


def quantize(
    model: nn.Module, layers: Iterable[nn.Module], how: str, device: torch.device, loaded: Loaded
) -> Loaded:
    """Replaces every linear layer within these `layers` of the model, one after the other.

    `how` is `none` or of `KINDS`. Gives what is loaded then. Raises `CheckpointError`.
    """
    if how == "none":
        return loaded
    check(how, device)
    kind = KINDS[how]
    for layer in layers:
        for name, module in list(layer.named_modules()):
            if isinstance(module, nn.Linear):
                setattr(parent(layer, name), last(name), kind.of(module))
    held = sum(it.nbytes for it in state(model).values())
    return replace(loaded, dtype=f"{loaded.dtype} and {how}", bytes=held, mapped=False)


def check(how: str, device: torch.device | str) -> None:
    """Raises `CheckpointError` for a kind that this machine cannot do."""
    library()
    if how == "fp8" and not multiplies_fp8(torch.device(device)):
        raise CheckpointError(
            "quantize=fp8 needs a GPU of compute capability 8.9 or more (Ada, Hopper and later),"
            f" which {device} is not: take quantize=int8, or none"
        )


def multiplies_fp8(device: torch.device) -> bool:
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= FP8_CAPABILITY


def library() -> Any:
    """torchao. Raises `CheckpointError` where it is missing."""
    try:
        return extra("torchao.quantization", "quantize", "the language model is quantised")
    except BadInput as error:
        raise CheckpointError(str(error)) from error
