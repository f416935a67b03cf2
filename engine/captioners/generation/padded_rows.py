"""Decode steps of our own behind a prompt that the model itself has read.

A model of transformers knows best how it reads its prompt: pictures, positions on several axes,
what stands between tiles. Its keys and values are taken over; from then on the language model is
`static_decoders.LlamaDecoder`'s, if it is of that kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from types import SimpleNamespace
from typing import Any

import torch

from engine.captioners.generation.cuda_graphs import Capture
from engine.captioners.generation.static_decoders import (
    DecodeStatePool,
    LlamaDecoder,
    LlamaDecodeState,
)

TEXT_MODELS = {
    *("LlamaModel", "MistralModel", "Qwen2Model", "Qwen3Model"),
    *("Qwen2VLTextModel", "Qwen2_5_VLTextModel", "Qwen3VLTextModel"),
}
"""Classes of transformers whose decode step is that of `LlamaDecodeState`."""
ROPE_TYPES = ("default", "linear", "llama3", "yarn")
"""Kinds of rotary embeddings whose angles do not depend on the length of the text."""
LENGTH_STEPS = 8
"""Lengths of batches between two powers of two: a length is rounded up to one of them, so that its
tensors, and the steps recorded with them, serve other batches, too."""
LONGER = 1.5
"""How many times as long as needed the tensors of the batch before may be. A recorded step reads
all of them; to record it anew takes as long as some steps."""


class PaddedDecodeState(LlamaDecodeState):
    """A batch whose rows end at the same position of the cache and begin where they may."""

    def __init__(self, decoder: LlamaDecoder, max_rows: int, length: int) -> None:
        super().__init__(decoder, max_rows, length)
        positions = self.positions.new_zeros
        self.padding = self.rows.register(positions(max_rows))
        """The number of unused positions in front of each row."""
        self.shift = self.rows.register(positions(max_rows))
        """What is added to a position in the cache for the rotary position of each row."""
        self.is_padded = False
        """True if any row has unused positions in front."""

    def begin(self, prompt_tokens: int) -> None:
        """Start a batch whose longest prompt has so many tokens; `fill` comes next."""
        self.cache.used = prompt_tokens
        self.padding.zero_()
        self.shift.zero_()
        self.is_padded = False
        self.logits = self.decoder.before.new_empty(0)

    def fill(
        self,
        rows: Sequence[int],
        layers: Sequence[tuple[torch.Tensor, torch.Tensor]],
        next_positions: torch.Tensor,
        logits: torch.Tensor,
    ) -> None:
        """Take over the prompts of some rows, which are equally long.

        `layers` holds keys and values (len(rows), heads, tokens, head_dim) for each layer,
        `next_positions` (len(rows),) the rotary position of the first new token, and `logits`
        (len(rows), vocabulary) are its own.
        """
        used = self.cache.used
        padding = used - layers[0][0].shape[2]
        index = torch.tensor(rows, device=self.padding.device)
        for cached, given in zip(self.cache.layers, layers, strict=True):
            for tensor, values in zip(cached, given, strict=True):
                tensor[index, :, padding:used] = values
                # Masked positions must be finite, for they are read all the same.
                tensor[index, :, :padding] = 0
        self.padding[index] = padding
        self.shift[index] = next_positions - used
        self.is_padded |= padding > 0
        if not len(self.logits):
            self.logits = logits.new_empty(self.rows.active, logits.shape[1])
        self.logits[index] = logits

    def ready(self) -> None:
        """End what `begin` has begun: every row is filled."""
        if self.graphs is not None:
            self.cache.zero_unused()

    def eager_step(self, input_ids: torch.Tensor) -> torch.Tensor:
        rows, used = len(input_ids), self.cache.used
        mask = None
        if self.is_padded:
            mask = (self.positions[: used + 1] >= self.padding[:rows, None])[:, None, None]
        embeds = self.decoder.model.model.embed_tokens(input_ids)[:, None]
        logits = self.run_layers(embeds, self.rotary_at(self.shift[:rows] + used), mask)
        self.cache.used += 1
        return logits

    def static_step(self, input_ids: torch.Tensor, position: torch.Tensor) -> torch.Tensor:
        rows = len(input_ids)
        mask = (self.positions <= position) & (self.positions >= self.padding[:rows, None])
        embeds = self.decoder.model.model.embed_tokens(input_ids)[:, None]
        rotary = self.rotary_at(self.shift[:rows] + position)
        return self.run_layers(embeds, rotary, mask[:, None, None], position)

    def rotary_at(self, positions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return cosines and signed sines (rows, 1, 1, head_dim) at rotary positions (rows,)."""
        return self.cos[positions][:, None], self.sin[positions][:, None]


class PaddedDecoder(LlamaDecoder):
    """The language model within a model of transformers that reads pictures."""

    def __init__(self, model: Any, capture: Capture | None = None, fuse: bool = True) -> None:
        """Take a model in which `find_text_model` finds one."""
        text_model = find_text_model(model)
        language_model = SimpleNamespace(
            model=text_model, lm_head=model.get_output_embeddings(), config=text_model.config
        )
        no_text = text_model.embed_tokens.weight[:0]
        super().__init__(language_model, no_text, no_text, fuse, capture)
        self.window = attention_window(text_model.config)
        """The most tokens of prompt and answer; None for any number. Our steps attend to all."""
        self.padded_pool = DecodeStatePool(
            lambda rows, length: PaddedDecodeState(self, rows, length)
        )

    def acquire(self, rows: int, tokens: int) -> AbstractContextManager[PaddedDecodeState]:
        """Lend a state for `rows` prompts and answers of so many tokens at most."""
        length = rounded_length(tokens)
        return self.padded_pool.acquire(rows, length, int(length * LONGER))


def rounded_length(tokens: int) -> int:
    """Return the length of the tensors for so many tokens, an eighth longer at most."""
    step = max(1, (1 << tokens.bit_length() - 1) // LENGTH_STEPS)
    return -(-tokens // step) * step


def find_text_model(model: Any) -> Any:
    """Return the part of a model that is a language model of the known kind; None without one."""
    head = model.get_output_embeddings()
    found = [it for it in model.modules() if type(it).__name__ in TEXT_MODELS]
    if len(found) != 1 or not isinstance(head, torch.nn.Module):
        return None
    rope = getattr(found[0].config, "rope_parameters", None) or {}
    return found[0] if rope.get("rope_type", "default") in ROPE_TYPES else None


def attention_window(config: Any) -> int | None:
    """Return how many tokens a sliding window of the language model has; None without one."""
    kinds = getattr(config, "layer_types", None)
    if kinds and "sliding_attention" not in kinds:
        return None
    window: int | None = getattr(config, "sliding_window", None)
    return window
