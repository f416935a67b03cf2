"""The least time that a batch takes on a machine, from its arithmetic and its memory traffic.

Williams, Waterman and Patterson, "Roofline: an insightful visual performance model" (2009).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from engine.captioners.families import otter, spliced
from engine.captioners.generation import decode_loop

REPEATS = 10
"""How often each speed is measured; the fastest counts."""


@dataclass(frozen=True, slots=True)
class Machine:
    """The measured speed of a device."""

    flops: float
    """Floating-point operations a second, in a large matrix product."""
    bytes: float
    """Bytes read and written a second, in a large copy."""


@dataclass(frozen=True, slots=True)
class Work:
    """The work of captioning one batch."""

    prefill_flops: float
    """Floating-point operations of the vision tower and of the prefill."""
    step_flops: float
    """Floating-point operations of all decode steps."""
    step_bytes: float
    """Bytes that all decode steps read: weights, and the KV cache of the rows that go on."""

    def seconds(self, machine: Machine) -> float:
        """Return the least time on the machine, in seconds."""
        steps = max(self.step_flops / machine.flops, self.step_bytes / machine.bytes)
        return self.prefill_flops / machine.flops + steps


@contextmanager
def use_decode_loop(decode: Callable[..., Any]) -> Iterator[None]:
    """Have captioners call this function in place of `decode_loop.decode`."""
    modules: list[Any] = [otter, spliced]
    for module in modules:
        module.decode = decode
    try:
        yield
    finally:
        for module in modules:
            module.decode = decode_loop.decode


def measure_machine(device: str, side: int = 8192, numbers: int = 2**29) -> Machine:
    """Measure a device by a product of two square matrices, and a copy of so many numbers."""
    dtype = torch.float32 if device == "cpu" else torch.bfloat16
    left, right = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    flops = 2 * side**3 / least_seconds(lambda: left @ right, device)
    source = torch.zeros(numbers, device=device, dtype=dtype)
    target = torch.empty_like(source)
    moved = 2 * source.numel() * source.element_size()
    return Machine(flops, moved / least_seconds(lambda: target.copy_(source), device))


def least_seconds(function: Callable[[], object], device: str) -> float:
    """Return the seconds of the fastest of `REPEATS` calls."""
    seconds = []
    for _ in range(REPEATS):
        wait(device)
        began = time.perf_counter()
        function()
        wait(device)
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def wait(device: str) -> None:
    """Wait until the device has done everything that was launched."""
    if device != "cpu":
        torch.cuda.synchronize()


def measure_work(captioner: Any, prepared: list[Any]) -> Work:
    """Caption a batch and count what that takes.

    Only operations of matrix products and attention count: the others are few. On a CPU those of
    attention are not known.
    """
    steps: list[tuple[int, int, int]] = []
    """Rows, cached tokens and operations of each decode step."""
    token_bytes = 0
    """Bytes of one token in the KV cache."""
    weights = read_each_step(captioner)
    weight_bytes = sum(weight.numel() * weight.element_size() for weight in weights)

    def decode_counted(state: Any, *arguments: Any) -> Any:
        nonlocal token_bytes
        cached = [tensor for layer in state.cache.layers for tensor in layer]
        token_bytes = sum(tensor[0, :, 0].numel() * tensor.element_size() for tensor in cached)

        def step(ids: torch.Tensor) -> torch.Tensor:
            with flop_counter() as counter:
                # A replay of a CUDA graph would show no operation.
                logits: torch.Tensor = state.eager_step(ids)
            steps.append((len(ids), state.cache.used, counter.get_total_flops()))
            return logits

        state.step = step
        try:
            return decode_loop.decode(state, *arguments)
        finally:
            del state.step

    with use_decode_loop(decode_counted), flop_counter() as total:
        captioner.caption(prepared, range(len(prepared)))
    step_flops = sum(flops for _, _, flops in steps)
    step_bytes = sum(weight_bytes + rows * used * token_bytes for rows, used, _ in steps)
    return Work(total.get_total_flops() - step_flops, step_flops, step_bytes)


def flop_counter() -> FlopCounterMode:
    """Return a counter that knows int8 products, and those by oneDNN."""

    def product(left: torch.Size, right: torch.Size, **_: Any) -> int:
        return 2 * left[0] * left[1] * right[1]

    def linear(rows: torch.Size, weight: torch.Size, *_: Any, **__: Any) -> int:
        return 2 * rows.numel() * weight[0]

    mapping = {torch.ops.aten._int_mm: product, torch.ops.mkldnn._linear_pointwise: linear}
    return FlopCounterMode(display=False, custom_mapping=mapping)


def read_each_step(captioner: Any) -> Iterator[torch.Tensor]:
    """Yield the weights that each decode step reads in full.

    These are the language model's without the table of embeddings, of which only rows are read.
    """
    model = captioner.model
    language_model = getattr(model, "lang_encoder", None) or model.language_model
    table = language_model.get_input_embeddings().weight
    head = language_model.get_output_embeddings().weight
    for parameter in language_model.parameters():
        if parameter is not table or head is table:
            yield parameter
