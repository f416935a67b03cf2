"""The ways in which a model says something of a batch. All of them say the same.

`generate` of transformers prepares each of them, so that processors of logits, ends and penalties
are its own. The trial at load shows which way a checkpoint can go.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from transformers import GenerationMixin

from engine.captioners.families.hf.prompt_reader import PromptReader, prompt_tokens
from engine.captioners.families.hf.question import ModelInputs
from engine.captioners.families.hf.row_loop import ModelRows, row_loop
from engine.captioners.families.hf.rows import collate, to_device
from engine.captioners.generation.cuda_graphs import Capture
from engine.captioners.generation.padded_rows import PaddedDecoder


class Way:
    """The plain way: transformers' own loop, which runs every row until the last has ended."""

    text = "transformers' own loop"
    """What doctor says."""
    shares_batches = True
    """True if pictures may go through the model together."""

    def __init__(self, model: Any, pad_id: int | None) -> None:
        """`pad_id` fills up the prompts of a batch, as `collate` takes it."""
        self.model = model
        self.pad_id = pad_id

    def run(
        self, rows: Sequence[ModelInputs], **options: Any
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Generate with the options of `generate`.

        Return the token ids (rows, n) as it does, and those of the prompts (rows, T) if there are
        any. Raises `torch.OutOfMemoryError` and whatever the model raises.
        """
        inputs = collate(rows, self.pad_id)
        inputs = to_device(inputs, self.model.device, self.model.dtype)
        return own_generate(self.model)(**inputs, **options), inputs.get("input_ids")

    def takes(self, rows: Sequence[ModelInputs], new_tokens: int) -> bool:
        """Return True if rows may go through the model this way, for so many new tokens."""
        return self.shares_batches or len(rows) == 1

    def release(self) -> None:
        """Free the memory that is kept from one batch for the next."""


class ShrinkingBatch(Way):
    """The model runs the batch, and rows that have ended leave its cache."""

    text = "rows leave the batch as they end"

    def run(
        self, rows: Sequence[ModelInputs], **options: Any
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        return super().run(rows, custom_generate=row_loop(ModelRows), **options)


class StaticBatch(Way):
    """The model reads the prompts without padding, and the decode steps are our own."""

    text = "decode steps of our own"

    def __init__(self, model: Any, pad_id: int | None, capture: Capture | None) -> None:
        """Take a model with a language model of ours; `capture` is how steps are recorded."""
        super().__init__(model, pad_id)
        # Weights of half size on a CPU may be maps of the files, which fusing would copy.
        is_own_copy = model.device.type != "cpu" or model.dtype == torch.float32
        is_quantized = getattr(model.config, "quantization_config", None) is not None
        self.decoder = PaddedDecoder(model, capture, fuse=is_own_copy and not is_quantized)
        self.reader = PromptReader(model, own_generate(model), self.decoder)

    def takes(self, rows: Sequence[ModelInputs], new_tokens: int) -> bool:
        longest = max(map(prompt_tokens, rows)) + new_tokens
        return self.decoder.window is None or longest <= self.decoder.window

    def run(
        self, rows: Sequence[ModelInputs], **options: Any
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        prompts = collate([{"input_ids": row["input_ids"]} for row in rows], self.pad_id)
        ids = prompts["input_ids"].to(self.model.device)
        tokens = ids.shape[1] + options["max_new_tokens"]
        with self.decoder.acquire(len(rows), tokens) as state:
            self.reader.read(state, rows)
            loop = row_loop(lambda *_: state)
            mask = torch.ones_like(ids)
            output = GenerationMixin.generate(
                self.model, input_ids=ids, attention_mask=mask, custom_generate=loop, **options
            )
        return output, ids

    def release(self) -> None:
        self.decoder.padded_pool.release_idle()


def own_generate(model: Any) -> Callable[..., Any]:
    """Return the function by which a model generates text."""
    if model.config.model_type == "janus":
        # Its own one calls this for text, and loses the logits processors on the way.
        return partial(GenerationMixin.generate, model, guidance_scale=None)
    function: Callable[..., Any] = model.generate
    return function
