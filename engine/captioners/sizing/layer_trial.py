"""How long the parts of a model take on a device of this machine, timed on one layer of each.

The layer is made of random numbers in the shapes of the model's own. That gives the model's
roofline as this machine reaches it: a matrix of few columns is far from the rate of a large one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from types import SimpleNamespace
from typing import Any, cast

import torch
from torch.nn.functional import gelu, layer_norm, linear, scaled_dot_product_attention

from engine.captioners.checkpoints.cpu_products import (
    MIN_PACKED,
    is_onednn_faster,
    pack,
    product,
)
from engine.captioners.generation.decode_loop import decode
from engine.captioners.generation.generate import GenerationRequest, choose_dtype, to_caption
from engine.captioners.generation.row_slices import CPU_BYTES
from engine.captioners.settings import Settings
from engine.captioners.sizing.pictures import PictureTokens, Preparation
from engine.captioners.sizing.stacks import ModelShape, Stack, parameters_of

REPEATS = 3
"""Times that are measured, of which the median counts: a run is held up as well."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Where and how layers are timed."""

    device: str
    settings: Settings
    rows: int
    """The rows of a batch."""

    @property
    def dtype(self) -> torch.dtype:
        return choose_dtype(self.settings.dtype, self.device)


class TrialLayer:
    """A layer of a stack, of random numbers."""

    def __init__(self, stack: Stack, device: str, dtype: torch.dtype) -> None:
        def random(*shape: int) -> torch.Tensor:
            return torch.randn(shape, device=device, dtype=dtype) * 0.02

        self.stack, self.random = stack, random
        # As the families multiply on a CPU (`use_fast_products`).
        fast = device == "cpu" and dtype == torch.float32 and is_onednn_faster()
        packs = fast and not stack.is_vision
        self.multiply = product if fast else linear
        self.weights = [
            (it, pack(weight) if packs and weight.numel() >= MIN_PACKED else weight)
            for it in stack.matrices
            for weight in (random(it.outputs, it.inputs),)
        ]
        self.norm = random(stack.width)

    def run(self, rows: int, tokens: int, cached: int = 0) -> Callable[[], object]:
        """Return a call of the layer for so many rows of tokens, behind others in the KV cache."""
        width = self.stack.width
        states = self.random(rows, tokens, width)
        inputs = {size: self.random(rows, tokens, size) for size in self.input_sizes}
        key_width = max(1, self.stack.key_value_width // 2)
        head = min(HEAD_WIDTH, width, key_width)
        key_heads = max(1, key_width // head)
        heads = max(1, width // head // key_heads) * key_heads
        query = self.random(rows, heads, tokens, head)
        key = self.random(rows, key_heads, tokens, head)
        keys, values = (self.random(rows, key_heads, tokens + cached, head) for _ in range(2))

        def call() -> None:
            nonlocal states
            for is_attention in (True, False):
                normed = layer_norm(states, (width,), self.norm)
                for matrix, weight in self.weights:
                    if matrix.is_attention == is_attention:
                        out = self.multiply(inputs.get(matrix.inputs, normed), weight)
                        if not is_attention and matrix.outputs > width:
                            out = gelu(out)
                if is_attention:
                    rotate(query)
                    keys[:, :, cached:] = rotate(key)
                    values[:, :, cached:] = key
                    scaled_dot_product_attention(
                        query, keys, values, enable_gqa=heads > key_heads
                    ).transpose(1, 2).contiguous()
                states = states + normed

        return call

    @property
    def input_sizes(self) -> set[int]:
        return {it.inputs for it in self.stack.matrices} - {self.stack.width}


def rotate(heads: torch.Tensor) -> torch.Tensor:
    """Do what rotary positions do to queries or keys, with other numbers."""
    first, second = heads.chunk(2, dim=-1)
    return heads * 0.5 + torch.cat([-second, first], dim=-1) * 0.5


@torch.inference_mode()
def time_batch(
    shape: ModelShape, preparation: Preparation, tokens: PictureTokens, trial: Trial
) -> BatchSeconds:
    """Return how long a batch takes. Raises `torch.OutOfMemoryError`."""
    return BatchSeconds(
        vision=sum(
            time_stack(stack, vision_tokens_of(stack, shape, tokens), trial)
            for stack in shape.vision
        ),
        prefill=time_stack(shape.text, tokens.read, trial) * share_of_prompt(shape.text),
        steps=time_steps(shape, tokens, trial) + time_choices(shape, preparation, trial),
    )


def share_of_prompt(text: Stack) -> float:
    """Return the share of the layers' work that reading a prompt takes, by `static_decoders`.

    Of all tokens but the last one, the last layer only computes keys and values.
    """
    return 1 - (1 - text.key_value_width * text.width / parameters_of(text.matrices)) / text.layers


def vision_tokens_of(stack: Stack, shape: ModelShape, tokens: PictureTokens) -> int:
    """Return how many tokens of a picture go through a stack of the vision side.

    Those between it and the language model get fewer.
    """
    return tokens.vision if stack is shape.vision[0] or not tokens.image else tokens.image


def time_stack(stack: Stack, tokens: int, trial: Trial) -> float:
    """Return how long all layers of a stack take for rows of so many tokens, in seconds."""
    if not tokens or not stack.matrices:
        return 0.0
    widest = max(it.outputs for it in stack.matrices)
    limit = CPU_BYTES if trial.device == "cpu" else GPU_BYTES
    # As many rows as go through the model at a time (`row_slices`).
    at_once = min(trial.rows, max(1, limit // (tokens * widest * trial.dtype.itemsize)))
    layer = TrialLayer(stack, trial.device, trial.dtype)
    seconds = time_call(layer.run(at_once, tokens), trial.device)
    return seconds * stack.usual_layers * trial.rows / at_once


def time_steps(shape: ModelShape, tokens: PictureTokens, trial: Trial) -> float:
    """Return how long the layers take for all decode steps of a batch, in seconds."""
    layer = TrialLayer(shape.text, trial.device, trial.dtype)
    seconds = time_call(layer.run(trial.rows, 1, tokens.prompt), trial.device)
    return seconds * shape.text.usual_layers * (trial.settings.max_new_tokens - 1)


def time_choices(shape: ModelShape, preparation: Preparation, trial: Trial) -> float:
    """Return how long the output layer and the choice of all tokens of a batch take, with the
    texts that they make, in seconds."""
    vocabulary, width = max(2, shape.vocabulary), shape.text.width
    head = torch.randn(vocabulary, width, device=trial.device, dtype=trial.dtype)
    head *= shape.logit_scale / width**0.5
    last = torch.randn(trial.rows, width, device=trial.device, dtype=trial.dtype)
    state = SimpleNamespace(
        logits=linear(last, head),
        step=lambda ids: linear(last[: len(ids)], head),
        drop_ended=lambda unfinished: [row for row, goes_on in enumerate(unfinished) if goes_on],
    )
    request = GenerationRequest(
        settings=trial.settings,
        record_ids=range(trial.rows),
        family_name="",
        stop_ids=[],
        pad_id=0,
        stop_text=preparation.stop_text,
        tokenizer=preparation.tokenizer,
    )

    def choose() -> None:
        for row in decode(cast(Any, state), request):
            to_caption(row, preparation.tokenizer, request)

    return time_call(choose, trial.device)


def time_call(function: Callable[[], object], device: str) -> float:
    """Return the seconds that a call usually takes, after one that warms up."""
    function()
    seconds = []
    for _ in range(REPEATS):
        calls = 0
        wait(device)
        began = time.perf_counter()
        while calls == 0 or time.perf_counter() - began < MIN_SECONDS:
            function()
            calls += 1
            wait(device)
        seconds.append((time.perf_counter() - began) / calls)
    return median(seconds)


def wait(device: str) -> None:
    """Wait until the device has done everything that was launched."""
    if device == "cuda":
        torch.cuda.synchronize()
