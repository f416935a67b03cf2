"""Quantization of a model's layers to eight bits: half the bytes of bfloat16.

Each row of a weight matrix and each token that is multiplied by it has a scale of its own, by which
its largest number becomes the largest that eight bits have. torch's own products (`_int_mm`,
`_scaled_mm`) do the rest. torchao's tensors round in the same way, but their products are made for
`torch.compile`: launched one by one they go through the input in float32 several times, and the
int8 product copies the matrix and waits for the GPU at each call, so that no decode step could be
captured (torchao 0.18; github.com/pytorch/ao/issues/4872).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import nn
from torch.nn.functional import pad

from engine.captioners.base import CheckpointError, LoadedCheckpoint
from engine.captioners.checkpoints.assembly import last_part, named_tensors, parent_module
from engine.captioners.checkpoints.cpu_products import has_packed_int8, int8_product, pack_int8

FP8 = torch.float8_e4m3fn
FP8_CAPABILITY = (8, 9)
"""The lowest compute capability whose GPUs multiply fp8: that of Ada."""
MIN_ABS_MAX = 1e-12
"""Stands for the largest number of a row of zeros, which would give the scale 0."""
MIN_INT8_ROWS = 32
"""Rows to which fewer rows of int8 are padded: cuBLAS multiplies no fewer than 17."""


class QuantizedLinear(nn.Module):
    """A quantized layer that replaces an `nn.Linear`. Subclasses say to which type."""

    max_value: float
    """The number that the largest number of a row becomes."""
    bias: torch.Tensor | None

    def __init__(
        self, weight: torch.Tensor, scale: torch.Tensor, bias: torch.Tensor | None = None
    ) -> None:
        """Take a `weight` (out, in) of eight bits, whose rows are multiplied by `scale` (out,)."""
        super().__init__()
        self.weight = nn.Parameter(weight, requires_grad=False)
        self.scale = nn.Parameter(scale, requires_grad=False)
        self.register_parameter("bias", None if bias is None else nn.Parameter(bias, False))

    @classmethod
    def from_linear(cls, linear: nn.Linear) -> QuantizedLinear:
        """Return the quantized form of a layer; the bias stays as it is."""
        scale = cls.row_scale(linear.weight)
        return cls(cls.round_rows(linear.weight, scale), scale[:, 0], linear.bias)

    @classmethod
    def row_scale(cls, rows: torch.Tensor) -> torch.Tensor:
        """Return the scale of each row: (M, 1) in float32."""
        scale: torch.Tensor = abs_max(rows).clamp_(min=MIN_ABS_MAX) / cls.max_value
        return scale

    @staticmethod
    def round_rows(rows: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        """Return rows (M, in), divided by their scale (M, 1), in eight bits."""
        raise NotImplementedError

    def matmul(
        self, rounded: torch.Tensor, scale: torch.Tensor, dtype: torch.dtype
    ) -> torch.Tensor:
        """Multiply rounded rows (M, in), whose scale is (M, 1), by the weight: (M, out)."""
        raise NotImplementedError

    def pack(self) -> None:
        """Bring the weight into a form for this machine's products, where there is one."""

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        """Map (..., in) to (..., out)."""
        rows = hidden_states.flatten(0, -2)
        scale = self.row_scale(rows)
        output = self.matmul(self.round_rows(rows, scale), scale, hidden_states.dtype)
        if self.bias is not None:
            output += self.bias
        return output.view(*hidden_states.shape[:-1], -1)


class Int8Linear(QuantizedLinear):
    """A layer whose weight and input are int8."""

    max_value = 127

    @staticmethod
    def round_rows(rows: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        return (rows / scale).round_().to(torch.int8)

    def matmul(
        self, rounded: torch.Tensor, scale: torch.Tensor, dtype: torch.dtype
    ) -> torch.Tensor:
        if self.weight.is_mkldnn:
            return int8_product(rounded, self.weight, self.scale).mul_(scale).to(dtype)
        padded = pad(rounded, (0, 0, 0, max(0, MIN_INT8_ROWS - len(rounded))))
        sums = torch._int_mm(padded, self.weight.t())[: len(rounded)]
        # The weight's scale comes first: without it the sums may leave the range of float16.
        output = torch.mul(sums, self.scale, out=scale.new_empty(sums.shape, dtype=dtype))
        return output.mul_(scale)

    def pack(self) -> None:
        if self.weight.device.type == "cpu" and has_packed_int8(self.weight):
            self.weight = nn.Parameter(pack_int8(self.weight), requires_grad=False)


class Fp8Linear(QuantizedLinear):
    """A layer whose weight and input are fp8 (e4m3)."""

    max_value = torch.finfo(FP8).max

    @staticmethod
    def round_rows(rows: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        return (rows / scale).to(FP8)

    def matmul(
        self, rounded: torch.Tensor, scale: torch.Tensor, dtype: torch.dtype
    ) -> torch.Tensor:
        output = torch._scaled_mm(
            rounded,
            self.weight.t(),
            scale_a=scale,
            scale_b=self.scale[None],
            out_dtype=torch.bfloat16,  # the only one that GPUs have for scales by row
            use_fast_accum=True,
        )
        return output.to(dtype)


def abs_max(rows: torch.Tensor) -> torch.Tensor:
    """Return the largest absolute value of each row: (M, 1) in float32."""
    if rows.device.type == "cpu":  # where the norm takes ten times as long
        return torch.maximum(rows.amax(-1, keepdim=True), -rows.amin(-1, keepdim=True)).float()
    largest: torch.Tensor = torch.linalg.vector_norm(
        rows, torch.inf, -1, keepdim=True, dtype=torch.float32
    )
    return largest


KINDS: dict[str, type[QuantizedLinear]] = {"int8": Int8Linear, "fp8": Fp8Linear}
"""The quantized layers by the value of the setting `quantize`."""


def quantize(
    model: nn.Module,
    layers: Sequence[nn.Module],
    how: str,
    device: torch.device,
    loaded: LoadedCheckpoint,
    report: Callable[[str], None],
) -> LoadedCheckpoint:
    """Replace every linear layer in these `layers` of the model, one after the other.

    `how` is `none` or a key of `KINDS`; `report` takes texts of progress. Returns `loaded` with
    dtype and size as they are afterwards. Raises `CheckpointError`.
    """
    if how == "none":
        return loaded
    check_quantization(how, device)
    kind = KINDS[how]
    for number, layer in enumerate(layers):
        report(f"rounding weights to {how}, {number * 100 // len(layers)} %")
        for name, module in list(layer.named_modules()):
            if isinstance(module, nn.Linear):
                quantized = kind.from_linear(module)
                quantized.pack()
                setattr(parent_module(layer, name), last_part(name), quantized)
    size = sum(it.nbytes for it in named_tensors(model).values())
    return replace(loaded, dtype=f"{loaded.dtype} and {how}", bytes=size, memory_mapped=False)


def check_quantization(how: str, device: torch.device | str) -> None:
    """Raise `CheckpointError` for a quantization that the device cannot do."""
    if how == "fp8" and not supports_fp8(torch.device(device)):
        raise CheckpointError(
            "quantize=fp8 needs a GPU of compute capability 8.9 or more (Ada, Hopper and later),"
            f" which {device} is not: take quantize=int8, or none"
        )


def supports_fp8(device: torch.device) -> bool:
    """Return True if the device is a GPU that multiplies fp8."""
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= FP8_CAPABILITY
