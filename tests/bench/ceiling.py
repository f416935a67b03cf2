"""The rate that a CPU's matrix products allow: each of the model's own, as fast as it runs alone.

Attention, norms and all else that a model does besides its linear layers cost nothing here, so no
engine reaches the ceiling.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from engine.captioners.checkpoints.cpu_products import pack, pack_int8
from engine.utils.cpu_count import usable_cores

aten = torch.ops.aten
PRODUCTS = (
    *(aten.linear.default, aten.mm.default, aten.addmm.default, aten._int_mm.default),
    *(torch.ops.mkldnn._linear_pointwise.default, torch.ops.onednn.qlinear_pointwise.default),
)
"""The operations that are matrix products of the linear layers."""
WEIGHT_BYTES = 2**27
"""Bytes of weights between which a measurement alternates: more than a cache holds, since a model
has read all its other weights before it comes to the same again."""
ROUNDS = 2
"""How often each product is measured; the fastest counts."""


class Operand(NamedTuple):
    """Size, strides and type of a tensor that is multiplied."""

    size: tuple[int, ...]
    stride: tuple[int, ...]
    """Those of a weight that is not packed, if it is packed."""
    dtype: torch.dtype
    is_packed: bool = False

    @classmethod
    def of(cls, tensor: torch.Tensor) -> Operand:
        size = tuple(tensor.shape)
        if not tensor.is_mkldnn:
            return cls(size, tensor.stride(), tensor.dtype)
        if tensor.dtype == torch.int8:  # which is packed as (in, out)
            size = size[::-1]
        return cls(size, (size[1], 1), tensor.dtype, is_packed=True)

    def make(self) -> torch.Tensor:
        """Return a tensor of this form: random numbers, so that no product is of zeros."""
        if self.is_packed:
            dense = self._replace(is_packed=False).make()
            return pack(dense) if dense.is_floating_point() else pack_int8(dense)
        last = sum((n - 1) * step for n, step in zip(self.size, self.stride, strict=True))
        numbers = torch.empty(last + 1, dtype=self.dtype)
        if numbers.is_floating_point():
            numbers.normal_()
        else:
            numbers.random_(-127 if self.dtype.is_signed else 0, 127)
        return numbers.as_strided(self.size, self.stride)

    @property
    def bytes(self) -> int:
        return torch.Size(self.size).numel() * self.dtype.itemsize


class MatrixProducts(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the matrix products that run inside it, by operation and operands."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.counts: Counter[tuple[Any, tuple[Any, ...]]] = Counter()

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if function in PRODUCTS:
            self.counts[function, tuple(map(argument_of, args))] += 1
        return function(*args, **kwargs or {})

    def seconds(self) -> float:
        """Return the seconds that all products would take, each measured alone on all cores."""
        threads = torch.get_num_threads()
        torch.set_num_threads(usable_cores())
        try:
            return sum(
                count * product_seconds(function, arguments)
                for (function, arguments), count in self.counts.items()
            )
        finally:
            torch.set_num_threads(threads)


def argument_of(value: Any) -> Any:
    """Return an argument of an operation as it is counted: of a tensor its form."""
    if isinstance(value, torch.Tensor):
        return Operand.of(value)
    return tuple(value) if isinstance(value, list) else value


def product_seconds(function: Callable[..., object], arguments: tuple[Any, ...]) -> float:
    """Return the CPU seconds of one product over the cores, in the fastest of `ROUNDS` rounds.

    `arguments` are those of the function, with an `Operand` for each tensor. The seconds are those
    of an idle machine, and vary less on a busy one.
    """
    largest = max(it.bytes for it in arguments if isinstance(it, Operand))
    copies = max(1, WEIGHT_BYTES // (ROUNDS * largest))
    sets = [
        [it.make() if isinstance(it, Operand) else it for it in arguments]
        for _ in range(min(copies, 8))
    ]
    function(*sets[0])  # to warm up
    rounds = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for values in sets:
            function(*values)
        rounds.append((time.process_time() - began) / len(sets))
    return min(rounds) / usable_cores()
