"""The least time that a batch's arithmetic and memory traffic allow on a machine, as measured.

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


@dataclass(frozen=True, slots=True)
class Machine:
    flops: float
    """Floating-point operations a second of a large matrix product."""
    bytes: float
    """Bytes a second that a copy reads and writes."""


@dataclass(frozen=True, slots=True)
class Work:
    """Of one batch."""

    prefill_flops: float
    """Of the vision tower and of reading the prompt."""
    step_flops: float
    step_bytes: float
    """Of all steps: weights, and the keys and values of the rows that go on."""

    def seconds(self, machine: Machine) -> float:
        steps = max(self.step_flops / machine.flops, self.step_bytes / machine.bytes)
        return self.prefill_flops / machine.flops + steps


@contextmanager
def decoded_by(decode: Callable[..., Any]) -> Iterator[None]:
    """Captioners choose tokens by this function."""
    modules: list[Any] = [otter, spliced]
    for module in modules:
        module.decode = decode
    try:
        yield
    finally:
        for module in modules:
            module.decode = decode_loop.decode


def machine(device: str, side: int = 8192, numbers: int = 2**29) -> Machine:
    """By a matrix product of this side, and a copy of so many numbers."""
    dtype = torch.float32 if device == "cpu" else torch.bfloat16
    left, right = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    flops = 2 * side**3 / fastest(lambda: left @ right, device)
    source = torch.zeros(numbers, device=device, dtype=dtype)
    target = torch.empty_like(source)
    moved = 2 * source.numel() * source.element_size()
    return Machine(flops, moved / fastest(lambda: target.copy_(source), device))


def fastest(work: Callable[[], object], device: str) -> float:
    """Seconds, the least of some."""
    found = []
    for _ in range(REPEATS):
        wait(device)
        began = time.perf_counter()
        work()
        wait(device)
        found.append(time.perf_counter() - began)
    return min(found)


def wait(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize()


def work(captioner: Any, prepared: list[Any]) -> Work:
    """Counts what captioning this batch takes. Operations of products and attention only: the
    others are few (and on a CPU those of attention are not known)."""
    steps: list[tuple[int, int, int]] = []
    """Rows, cached tokens, and operations of each."""
    token = 0
    weights = sum(it.numel() * it.element_size() for it in read_each_step(captioner))

    def counted(running: Any, *arguments: Any) -> Any:
        nonlocal token
        cached = [tensor for layer in running.cache.layers for tensor in layer]
        token = sum(it[0, :, 0].numel() * it.element_size() for it in cached)

        def step(ids: torch.Tensor) -> torch.Tensor:
            with counter() as one:
                found: torch.Tensor = running.forward(ids)  # a recording shows no operation
            steps.append((len(ids), running.cache.used, one.get_total_flops()))
            return found

        running.step = step
        try:
            return decode_loop.decode(running, *arguments)
        finally:
            del running.step

    with decoded_by(counted), counter() as whole:
        captioner.caption(prepared, range(len(prepared)))
    in_steps = sum(flops for _, _, flops in steps)
    traffic = sum(weights + rows * used * token for rows, used, _ in steps)
    return Work(whole.get_total_flops() - in_steps, in_steps, traffic)


def counter() -> FlopCounterMode:
    """Of int8 products, too."""

    def product(left: torch.Size, right: torch.Size, **_: Any) -> int:
        return 2 * left[0] * left[1] * right[1]

    return FlopCounterMode(display=False, custom_mapping={torch.ops.aten._int_mm: product})


def read_each_step(captioner: Any) -> Iterator[torch.Tensor]:
    """The language model's weights but for its table of embeddings, of which a row is read."""
    model = captioner.model
    language_model = getattr(model, "lang_encoder", None) or model.language_model
    table = language_model.get_input_embeddings().weight
    head = language_model.get_output_embeddings().weight
    for parameter in language_model.parameters():
        if parameter is not table or head is table:
            yield parameter
