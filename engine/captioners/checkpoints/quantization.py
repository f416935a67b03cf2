"""The matrices of a language model's layers in eight bits: half the bytes of bfloat16.

Each row of a matrix has a scale, and so has each token that is multiplied by it: the largest number
becomes the largest that eight bits have. torch's own products (`_int_mm`, `_scaled_mm`) do the
rest. torchao's tensors round in the same way, but their products are made for `torch.compile`:
launched one by one they pass over the input in float32 time and again, and the int8 product copies
the matrix and waits for the GPU at each call, so that no decode step could be recorded (torchao
0.18; github.com/pytorch/ao/issues/4872).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import nn
from torch.nn.functional import pad

from engine.captioners.base import CheckpointError, Loaded
from engine.captioners.checkpoints.assembly import last, parent, state

INT8_MOST = 127
FP8 = torch.float8_e4m3fn
FP8_CAPABILITY = (8, 9)
LEAST = 1e-12
"""In place of the largest number of a row that is zero all over."""
INT8_ROWS = 32
"""cuBLAS multiplies no fewer than 17 rows of int8; fewer are filled up."""


class Quantized(nn.Module):
    """In the place of an `nn.Linear`."""

    most: float
    """What the largest number of a row becomes."""
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
        step = cls.step(linear.weight)
        return cls(cls.numbers(linear.weight, step), step[:, 0], linear.bias)

    @classmethod
    def step(cls, rows: torch.Tensor) -> torch.Tensor:
        """What the number 1 stands for in each row: (M, 1) in float32."""
        largest = torch.linalg.vector_norm(rows, torch.inf, -1, keepdim=True, dtype=torch.float32)
        step: torch.Tensor = largest.clamp_(min=LEAST) / cls.most
        return step

    @staticmethod
    def numbers(rows: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
        """Rows (M, in) in eight bits."""
        raise NotImplementedError

    def product(
        self, numbers: torch.Tensor, step: torch.Tensor, dtype: torch.dtype
    ) -> torch.Tensor:
        """Of rows in eight bits: (M, out)."""
        raise NotImplementedError

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """(..., in) to (..., out)."""
        rows = hidden.flatten(0, -2)
        step = self.step(rows)
        found = self.product(self.numbers(rows, step), step, hidden.dtype)
        if self.bias is not None:
            found += self.bias
        return found.view(*hidden.shape[:-1], -1)


class Int8(Quantized):
    most = INT8_MOST

    @staticmethod
    def numbers(rows: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
        return (rows / step).round_().to(torch.int8)

    def product(
        self, numbers: torch.Tensor, step: torch.Tensor, dtype: torch.dtype
    ) -> torch.Tensor:
        filled = pad(numbers, (0, 0, 0, max(0, INT8_ROWS - len(numbers))))
        found = torch._int_mm(filled, self.weight.t())[: len(numbers)]
        # The matrix's scale comes first: without it the sums may leave float16.
        made = torch.mul(found, self.scale, out=step.new_empty(found.shape, dtype=dtype))
        return made.mul_(step)


class Fp8(Quantized):
    most = torch.finfo(FP8).max

    @staticmethod
    def numbers(rows: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
        return (rows / step).to(FP8)

    def product(
        self, numbers: torch.Tensor, step: torch.Tensor, dtype: torch.dtype
    ) -> torch.Tensor:
        found = torch._scaled_mm(
            numbers,
            self.weight.t(),
            scale_a=step,
            scale_b=self.scale[None],
            out_dtype=torch.bfloat16,  # the only one that GPUs have for scales by row
            use_fast_accum=True,
        )
        return found.to(dtype)


KINDS: dict[str, type[Quantized]] = {"int8": Int8, "fp8": Fp8}


def quantize(
    model: nn.Module,
    layers: Sequence[nn.Module],
    how: str,
    device: torch.device,
    loaded: Loaded,
    report: Callable[[str], None],
) -> Loaded:
    """Replaces every linear layer within these `layers` of the model, one after the other.

    `how` is `none` or of `KINDS`. Gives what is loaded then. Raises `CheckpointError`.
    """
    if how == "none":
        return loaded
    check(how, device)
    kind = KINDS[how]
    for number, layer in enumerate(layers):
        report(f"rounding weights to {how}, {number * 100 // len(layers)} %")
        for name, module in list(layer.named_modules()):
            if isinstance(module, nn.Linear):
                setattr(parent(layer, name), last(name), kind.of(module))
    held = sum(it.nbytes for it in state(model).values())
    return replace(loaded, dtype=f"{loaded.dtype} and {how}", bytes=held, mapped=False)


def check(how: str, device: torch.device | str) -> None:
    """Raises `CheckpointError` for a kind that this machine cannot do."""
    if how == "fp8" and not multiplies_fp8(torch.device(device)):
        raise CheckpointError(
            "quantize=fp8 needs a GPU of compute capability 8.9 or more (Ada, Hopper and later),"
            f" which {device} is not: take quantize=int8, or none"
        )


def multiplies_fp8(device: torch.device) -> bool:
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= FP8_CAPABILITY
