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

from engine.utils.cpu_count import usable_cores

aten = torch.ops.aten
PRODUCTS = (aten.linear.default, aten.mm.default, aten.addmm.default, aten._int_mm.default)
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
    dtype: torch.dtype

    def make(self) -> torch.Tensor:
        """Return a tensor of this form: random numbers, so that no product is of zeros."""
        last = sum((n - 1) * step for n, step in zip(self.size, self.stride, strict=True))
        numbers = torch.empty(last + 1, dtype=self.dtype)
        numbers = numbers.normal_() if numbers.is_floating_point() else numbers.random_(-127, 127)
        return numbers.as_strided(self.size, self.stride)

    @property
    def bytes(self) -> int:
        return torch.Size(self.size).numel() * self.dtype.itemsize


class MatrixProducts(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the matrix products that run inside it, by operation and operands."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.counts: Counter[tuple[Any, tuple[Operand, ...]]] = Counter()

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if function in PRODUCTS:
            operands = (
                Operand(tuple(it.shape), it.stride(), it.dtype)
                for it in args
                if isinstance(it, torch.Tensor)
            )
            self.counts[function, tuple(operands)] += 1
        return function(*args, **kwargs or {})

    def seconds(self) -> float:
        """Return the seconds that all products would take, each measured alone on all cores."""
        threads = torch.get_num_threads()
        torch.set_num_threads(usable_cores())
        try:
            return sum(
                count * product_seconds(function, operands)
                for (function, operands), count in self.counts.items()
            )
        finally:
            torch.set_num_threads(threads)


def product_seconds(function: Callable[..., object], operands: tuple[Operand, ...]) -> float:
    """Return the CPU seconds of one product over the cores, in the fastest of `ROUNDS` rounds.

    They are the seconds of an idle machine, and vary less on a busy one.
    """
    largest = max(operands, key=lambda operand: operand.bytes)
    copies = max(1, WEIGHT_BYTES // (ROUNDS * largest.bytes))
    sets = [[operand.make() for operand in operands] for _ in range(min(copies, 8))]
    function(*sets[0])  # to warm up
    rounds = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for tensors in sets:
            function(*tensors)
        rounds.append((time.process_time() - began) / len(sets))
    return min(rounds) / usable_cores()
