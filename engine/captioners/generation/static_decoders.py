"""The language models of transformers, run by hand: a static cache, one prompt, no padding.

The modules' own weights are used; only what `generate` and `forward` do around them is left out.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Generic, TypeVar

import torch
from torch import nn
from torch.nn.functional import linear, rms_norm, scaled_dot_product_attention

from engine.captioners.checkpoints.quantization import Quantized
from engine.captioners.generation.cuda_graphs import CannotRecord, Record, StepGraphs, say_plain
from engine.captioners.generation.kv_cache import KeyValues, Rows

SHARED_LEAST = 16
"""Tokens of a prompt's beginning that are worth a mask: a short one is computed with each batch,
where attention is plainly causal and has faster kernels."""


class Running(ABC):
    """A batch on its way through a language model; its tensors serve one batch after the other."""

    logits: torch.Tensor
    """(rows, vocabulary), of the first new token."""

    def __init__(
        self,
        rows: int,
        length: int,
        layers: int,
        heads: int,
        width: int,
        like: torch.Tensor,
        record: Record | None,
    ) -> None:
        """For at most so many rows; `length` counts the prompt and what comes."""
        self.rows = Rows(rows)
        self.length = length
        self.cache = KeyValues(self.rows, layers, length, heads, width, like)
        self.places = torch.arange(length, device=like.device)
        self.graphs = record and StepGraphs(self.step_at, rows, like.device, record)

    def step(self, ids: torch.Tensor) -> torch.Tensor:
        """The newest token of each row, (rows,), to the logits of the next, (rows, vocabulary)."""
        if self.graphs is not None:
            try:
                logits = self.graphs(ids, self.cache.used)
            except CannotRecord as reason:
                say_plain(reason)
                self.graphs = None
            else:
                self.cache.used += 1
                return logits
        return self.forward(ids)

    @abstractmethod
    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """As `step`, behind what is cached."""

    @abstractmethod
    def step_at(self, ids: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
        """As `step`, at a place (1,) of the cache, all of whose length is read."""


R = TypeVar("R", bound=Running)


class LayerCache(Generic[R]):
    """The tensors of batches that are over, for the next ones if they fit: as many as there were
    batches at a time."""

    def __init__(self, make: Callable[[int, int], R]) -> None:
        """`make` takes the most rows, and the length of prompt and answer."""
        self.make = make
        self.idle: list[R] = []

    @contextmanager
    def running_for(self, rows: int, length: int) -> Iterator[R]:
        """No one else's until the end; tensors of a batch that failed are not kept."""
        running = self.idle.pop() if self.idle else None
        if running is None or running.rows.most < rows or running.length != length:
            running = None  # before others take their place in memory
            running = self.make(rows, length)
        running.rows.count = rows
        yield running
        self.idle.append(running)

    def release(self) -> None:
        self.idle.clear()


class LlamaDecoder:
    """Llama or Qwen2 (`LlamaForCausalLM`, `Qwen2ForCausalLM`) for prompts of embeddings.

    Joins query, key and value matrices, and gate and up, into one each: the modules keep views
    of them, so no memory is added. Weights that are maps of files would be copied by that.
    """

    def __init__(
        self,
        model: Any,
        before: torch.Tensor,
        after: torch.Tensor,
        join: bool = True,
        record: Record | None = None,
    ) -> None:
        """`before` (b, D) and `after` (a, D) stand around each row's own embeddings."""
        self.model = model
        self.before, self.after = before, after
        self.layers = [Layer(block, join) for block in model.model.layers]
        config = model.config
        attention = model.model.layers[0].self_attn
        self.width = attention.head_dim
        self.heads = config.num_attention_heads
        self.key_heads = config.num_key_value_heads
        self.scale = attention.scaling
        self.rotary = (before.new_empty(0), before.new_empty(0))
        self.record = record
        self.kept = LayerCache(lambda rows, length: LlamaRunning(self, rows, length))
        self.shared: list[tuple[torch.Tensor, torch.Tensor]] = []
        if len(before) >= SHARED_LEAST:
            alone = LlamaRunning(self, 1, len(before))
            alone.begin(before[None])
            self.shared = [(keys[0], values[0]) for keys, values in alone.cache.layers]

    def tables(self, length: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Rotary cosines and signed sines, (at least `length`, 1, width of a head)."""
        if len(self.rotary[0]) < length:
            places = torch.arange(length, device=self.before.device)[None]
            cos, sin = self.model.model.rotary_emb(self.before, position_ids=places)
            half = self.width // 2
            sin = torch.cat([-sin[..., :half], sin[..., half:]], dim=-1)
            self.rotary = cos[0, :, None], sin[0, :, None]
        return self.rotary

    @contextmanager
    def begin(self, features: torch.Tensor, new_tokens: int) -> Iterator[LlamaRunning]:
        """For rows' own embeddings (B, n, D) and the most tokens that may come."""
        count = len(features)
        parts = [features, self.after.expand(count, -1, -1)]
        if not self.shared:
            parts.insert(0, self.before.expand(count, -1, -1))
        embeddings = torch.cat(parts, dim=1)
        length = len(self.before) + features.shape[1] + len(self.after) + new_tokens
        with self.kept.running_for(count, length) as running:
            running.begin(embeddings)
            yield running


class Layer:
    """One decoder layer, its matrices joined or as they are."""

    def __init__(self, block: Any, join: bool) -> None:
        attention, mlp = block.self_attn, block.mlp
        self.norm_1, self.norm_2 = block.input_layernorm, block.post_attention_layernorm
        together = joined if join else apart
        self.qkv = together(attention.q_proj, attention.k_proj, attention.v_proj)
        self.gate_up = together(mlp.gate_proj, mlp.up_proj)
        self.out, self.down, self.act = attention.o_proj, mlp.down_proj, mlp.act_fn

    def mlp(self, hidden: torch.Tensor) -> torch.Tensor:
        normed = norm(self.norm_2, hidden)
        gate, up = self.gate_up(normed).chunk(2, dim=-1)
        found: torch.Tensor = hidden + self.down(self.act(gate) * up)
        return found


Together = Callable[[torch.Tensor], torch.Tensor]
"""What several layers say to the same input, one behind the other."""


def apart(*parts: nn.Module) -> Together:
    return lambda hidden: torch.cat([part(hidden) for part in parts], dim=-1)


def joined(*parts: nn.Module) -> Together:
    """By one matrix, of which the layers' own become views; so its bias, and scales of rows."""
    sizes = [len(part.get_parameter("weight")) for part in parts]
    whole = {}
    for name, _ in list(parts[0].named_parameters()):
        whole[name] = torch.cat([part.get_parameter(name) for part in parts])
        for part, rows in zip(parts, torch.split(whole[name], sizes), strict=True):
            setattr(part, name, nn.Parameter(rows, requires_grad=False))
    if isinstance(parts[0], Quantized):
        return type(parts[0])(**whole)
    return partial(linear, **whole)


def norm(module: Any, hidden: torch.Tensor) -> torch.Tensor:
    return rms_norm(hidden, module.weight.shape, module.weight, module.variance_epsilon)


class LlamaRunning(Running):
    def __init__(self, decoder: LlamaDecoder, rows: int, length: int) -> None:
        layers, like = len(decoder.layers), decoder.before
        super().__init__(
            rows, length, layers, decoder.key_heads, decoder.width, like, decoder.record
        )
        self.decoder = decoder
        self.cos, self.sin = decoder.tables(length)

    def begin(self, embeddings: torch.Tensor) -> None:
        """(B, T, D), behind the shared beginning."""
        self.cache.begin(self.decoder.shared)
        self.logits = self.read(embeddings)
        if self.graphs is not None:
            self.cache.clear()

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.read(self.decoder.model.model.embed_tokens(ids)[:, None])

    def read(self, hidden: torch.Tensor) -> torch.Tensor:
        """(rows, T, D) behind what is cached; the logits of the last token."""
        tokens, told = hidden.shape[1], self.cache.used
        places = slice(told, told + tokens)
        turn = self.cos[places], self.sin[places]
        seen = None
        if told and tokens > 1:
            seen = hidden.new_ones(tokens, told + tokens, dtype=torch.bool).tril(told)
        found = self.through(hidden, turn, seen)
        self.cache.used += tokens
        return found

    def step_at(self, ids: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
        turn = self.cos[place], self.sin[place]
        seen = (self.places <= place)[None]
        return self.through(self.decoder.model.model.embed_tokens(ids)[:, None], turn, seen, place)

    def through(
        self,
        hidden: torch.Tensor,
        turn: tuple[torch.Tensor, torch.Tensor],
        seen: torch.Tensor | None,
        place: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """`seen` (T, length) is what each token may look at, where that is not all before it."""
        for number, layer in enumerate(self.decoder.layers):
            final = number == len(self.decoder.layers) - 1
            hidden = self.attend(number, layer, hidden, turn, seen, place, final)
            hidden = layer.mlp(hidden)
        model = self.decoder.model
        found: torch.Tensor = model.lm_head(norm(model.model.norm, hidden[:, -1]))
        return found

    def attend(
        self,
        number: int,
        layer: Layer,
        hidden: torch.Tensor,
        turn: tuple[torch.Tensor, torch.Tensor],
        seen: torch.Tensor | None,
        place: torch.Tensor | None,
        final: bool,
    ) -> torch.Tensor:
        """Of the final layer only the last token is of any use; the others are keys and values."""
        decoder = self.decoder
        normed = norm(layer.norm_1, hidden)
        mixed = layer.qkv(normed).view(*normed.shape[:2], -1, decoder.width)
        turning = decoder.heads + decoder.key_heads
        turned = rotated(mixed[:, :, :turning], *turn).transpose(1, 2)
        query, key = turned[:, : decoder.heads], turned[:, decoder.heads :]
        keys, values = self.cache.add(number, key, mixed[:, :, turning:].transpose(1, 2), place)
        if final:
            query, hidden = query[:, :, -1:], hidden[:, -1:]
            seen = seen if seen is None else seen[-1:]
        read = scaled_dot_product_attention(
            query,
            keys,
            values,
            attn_mask=seen,
            is_causal=seen is None and query.shape[2] > 1,
            scale=decoder.scale,
            enable_gqa=decoder.heads != decoder.key_heads,
        )
        found: torch.Tensor = hidden + layer.out(read.transpose(1, 2).flatten(2))
        return found


def rotated(heads: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """NeoX halves: (rows, T, heads, width)."""
    return heads * cos + heads.roll(heads.shape[-1] // 2, dims=-1) * sin
