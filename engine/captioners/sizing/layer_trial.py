"""How long the parts of a model take on a device of this machine, timed on one layer of each.

The layer is made of random numbers in the shapes of the model's own. That gives the model's
roofline as this machine reaches it: a matrix of few columns is far from the rate of a large one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import torch
from torch.nn.functional import gelu, layer_norm, linear, scaled_dot_product_attention

from engine.captioners.generation.decode_loop import decode
from engine.captioners.generation.generate import GenerationRequest, choose_dtype
from engine.captioners.generation.row_slices import CPU_BYTES
from engine.captioners.settings import Settings
from engine.captioners.sizing.pictures import PictureTokens
from engine.captioners.sizing.stacks import ModelShape, Stack

REPEATS = 3
"""Calls that are timed, of which the fastest counts: others were held up."""
MIN_SECONDS = 0.02
"""Shortest time that is measured: shorter calls are repeated."""
HEAD_WIDTH = 64
"""Numbers of an attention head, of which files do not tell."""
GPU_BYTES = 1 << 30
"""As `CPU_BYTES`, on a GPU."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSeconds:
    """How long one batch takes, in seconds."""

    vision: float
    prefill: float
    steps: float
    """All decode steps, to the cap on new tokens."""

    @property
    def total(self) -> float:
        return self.vision + self.prefill + self.steps


class TrialLayer:
    """A layer of a stack, of random numbers."""

    def __init__(self, stack: Stack, device: str, dtype: torch.dtype) -> None:
        def random(*shape: int) -> torch.Tensor:
            return torch.randn(shape, device=device, dtype=dtype) * 0.02

        self.stack, self.random = stack, random
        self.weights = [(it, random(it.outputs, it.inputs)) for it in stack.matrices]
        self.norm = random(stack.width)

    def run(self, rows: int, tokens: int, cached: int = 0) -> Callable[[], object]:
        """Return a call of the layer for so many rows of tokens, behind others in the KV cache."""
        width = self.stack.width
        states = self.random(rows, tokens, width)
        inputs = {size: self.random(rows, tokens, size) for size in self.input_sizes}
        key_width = max(1, self.stack.key_value_width // 2)
        head = min(HEAD_WIDTH, width, key_width)
        query = self.random(rows, max(1, width // head), tokens, head)
        keys = self.random(rows, max(1, key_width // head), tokens + cached, head)
        grouped = query.shape[1] != keys.shape[1] and query.shape[1] % keys.shape[1] == 0
        if not grouped and query.shape[1] != keys.shape[1]:
            keys = query.repeat(1, 1, 1 + cached // max(1, tokens), 1)

        def call() -> None:
            nonlocal states
            for is_attention in (True, False):
                normed = layer_norm(states, (width,), self.norm)
                for matrix, weight in self.weights:
                    if matrix.is_attention == is_attention:
                        out = linear(inputs.get(matrix.inputs, normed), weight)
                        if not is_attention and matrix.outputs > width:
                            out = gelu(out)
                if is_attention:
                    # Rotary positions, of queries and keys.
                    torch.cat([query * 0.5, query * 0.5], dim=-1)
                    scaled_dot_product_attention(query, keys, keys, enable_gqa=grouped)
                states = states + normed

        return call

    @property
    def input_sizes(self) -> set[int]:
        return {it.inputs for it in self.stack.matrices} - {self.stack.width}


@torch.inference_mode()
def time_batch(
    shape: ModelShape, tokens: PictureTokens, settings: Settings, device: str, rows: int
) -> BatchSeconds:
    """Return how long a batch of so many rows takes on a device. Raises
    `torch.OutOfMemoryError`."""
    dtype = choose_dtype(settings.dtype, device)
    prefill = time_stack(shape.text, rows, tokens.prompt, device, dtype)
    vision = sum(
        time_stack(stack, rows, vision_tokens_of(stack, shape, tokens), device, dtype)
        for stack in shape.vision
    )
    return BatchSeconds(
        vision=vision,
        prefill=prefill,
        steps=time_steps(shape, tokens, settings, device, dtype, rows),
    )


def vision_tokens_of(stack: Stack, shape: ModelShape, tokens: PictureTokens) -> int:
    """Return how many tokens of a picture go through a stack of the vision side.

    Those between it and the language model get fewer.
    """
    largest = max(shape.vision, key=lambda it: it.parameters)
    return tokens.vision if stack is largest or not tokens.image else tokens.image


def time_stack(stack: Stack, rows: int, tokens: int, device: str, dtype: torch.dtype) -> float:
    """Return how long all layers of a stack take for so many rows of tokens, in seconds."""
    if not tokens or not stack.matrices:
        return 0.0
    widest = max(it.outputs for it in stack.matrices)
    limit = CPU_BYTES if device == "cpu" else GPU_BYTES
    # As many rows as go through the model at a time (`row_slices`).
    at_once = min(rows, max(1, limit // (tokens * widest * dtype.itemsize)))
    seconds = time_call(TrialLayer(stack, device, dtype).run(at_once, tokens), device)
    return seconds * stack.layers * rows / at_once


def time_steps(
    shape: ModelShape,
    tokens: PictureTokens,
    settings: Settings,
    device: str,
    dtype: torch.dtype,
    rows: int,
) -> float:
    """Return how long the decode steps of a batch take, in seconds."""
    step = time_call(TrialLayer(shape.text, device, dtype).run(rows, 1, tokens.prompt), device)
    head = torch.randn(max(2, shape.vocabulary), shape.text.width, device=device, dtype=dtype)
    last = torch.randn(rows, shape.text.width, device=device, dtype=dtype)
    state = SimpleNamespace(
        logits=linear(last, head),
        step=lambda _: linear(last, head),
        drop_ended=lambda unfinished: list(range(sum(unfinished))),
    )
    request = GenerationRequest(
        settings=settings, record_ids=range(rows), family_name="", stop_ids=[], pad_id=0
    )
    choosing = time_call(lambda: decode(cast(Any, state), request), device)
    return choosing + step * shape.text.layers * (settings.max_new_tokens - 1)


def time_call(function: Callable[[], object], device: str) -> float:
    """Return the seconds of the fastest of several calls, after one that warms up."""
    function()
    best = float("inf")
    for _ in range(REPEATS):
        calls = 0
        wait(device)
        began = time.perf_counter()
        while calls == 0 or time.perf_counter() - began < MIN_SECONDS:
            function()
            calls += 1
            wait(device)
        best = min(best, (time.perf_counter() - began) / calls)
    return best


def wait(device: str) -> None:
    """Wait until the device has done everything that was launched."""
    if device == "cuda":
        torch.cuda.synchronize()
