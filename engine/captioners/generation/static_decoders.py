"""Decoding with a static KV cache, without padding: the parts common to all, and Llama's.

`DecodeState` is a batch in generation, `DecodeStatePool` reuses the tensors of finished batches,
and `LlamaDecoder` runs transformers' Llama and Qwen2 on them. The modules' own weights are used;
only what `generate` and `forward` of transformers do around them is left out. MPT has a module of
its own, `mpt_decoder`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from functools import partial
from typing import Any, Generic, TypeVar

import torch
from torch import nn
from torch.nn.functional import linear, pad, rms_norm, scaled_dot_product_attention

from engine.captioners.checkpoints.cpu_products import CpuLinear, product
from engine.captioners.checkpoints.quantization import QuantizedLinear
from engine.captioners.generation.cuda_graphs import (
    Capture,
    CaptureFailed,
    StepGraphs,
    report_fallback,
)
from engine.captioners.generation.generate import splice
from engine.captioners.generation.kv_cache import DenseRows, KVCache

MIN_PREFIX_TOKENS = 16
"""Fewest tokens before the image whose keys and values are computed once for all batches. Behind a
cached prefix, prefill needs a mask. A shorter prefix is computed with each batch, where attention
is plainly causal and has faster kernels."""


class DecodeState(ABC):
    """A batch in generation: its KV cache, positions and CUDA graphs.

    `prefill` begins it, and each call of `step` is one decode step. The tensors serve one batch
    after the other.
    """

    logits: torch.Tensor
    """Logits (rows, vocabulary) of the first new token, from prefill."""
    prefix: Sequence[tuple[torch.Tensor, torch.Tensor]] = ()
    """Keys and values (heads, b, head_dim) for each layer with which all rows begin; empty for
    none."""

    def __init__(
        self,
        max_rows: int,
        length: int,
        layers: int,
        heads: int,
        head_dim: int,
        like: torch.Tensor,
        capture: Capture | None,
    ) -> None:
        """Allocate tensors for `max_rows` rows, with dtype and device of `like`.

        `length` counts the tokens of prompt and answer, `heads` the key/value heads.
        """
        self.rows = DenseRows(max_rows)
        self.length = length
        self.cache = KVCache(self.rows, layers, length, heads, head_dim, like)
        self.positions = torch.arange(length, device=like.device)
        self.graphs = capture and StepGraphs(self.static_step, max_rows, like.device, capture)

    def prefill(self, slices: Iterable[torch.Tensor]) -> None:
        """Start a batch, given as slices of rows of image features (rows, n, D); set `logits`.

        Each slice is run before the next is taken.
        """
        self.cache.start(self.prefix)
        prefix_tokens = self.cache.used
        logits = []
        for features in slices:
            self.cache.used = prefix_tokens
            logits.append(self.prefill_slice(features))
            self.rows.first += len(features)
        self.rows.first = 0
        self.logits = torch.cat(logits)
        if self.graphs is not None:
            self.cache.zero_unused()

    @abstractmethod
    def prefill_slice(self, features: torch.Tensor) -> torch.Tensor:
        """Run the prompts of some rows behind the prefix; return the logits of their last token."""

    def step(self, input_ids: torch.Tensor) -> torch.Tensor:
        """Run a decode step: the newest token of each row (rows,) to logits (rows, vocabulary)."""
        if self.graphs is not None:
            try:
                logits = self.graphs(input_ids, self.cache.used)
            except CaptureFailed as reason:
                report_fallback(reason)
                self.graphs = None
            else:
                self.cache.used += 1
                return logits
        return self.eager_step(input_ids)

    def drop_ended(self, unfinished: Sequence[bool]) -> list[int]:
        """Go on without the rows that have ended; return the old index of the row at each index."""
        return self.rows.compact(unfinished)

    @abstractmethod
    def eager_step(self, input_ids: torch.Tensor) -> torch.Tensor:
        """Run a decode step, its operations launched one by one."""

    @abstractmethod
    def static_step(self, input_ids: torch.Tensor, position: torch.Tensor) -> torch.Tensor:
        """Run a decode step at a `position` (1,) of the cache, whose full length is read.

        All shapes and addresses are the same at every position, so the step can be captured.
        """


State = TypeVar("State", bound=DecodeState)


class DecodeStatePool(Generic[State]):
    """Decode states of finished batches, for reuse: as many as batches ran at the same time."""

    def __init__(self, make: Callable[[int, int], State]) -> None:
        """`make` takes the largest number of rows, and the length of prompt and answer."""
        self.make = make
        self.idle: list[State] = []

    @contextmanager
    def acquire(self, rows: int, length: int, longest: int | None = None) -> Iterator[State]:
        """Lend a state for `rows` rows to one batch; make one if the idle state does not fit.

        A state that is longer than needed fits as well, up to `longest`. One whose batch raised an
        exception is not kept.
        """
        state = self.idle.pop() if self.idle else None
        lengths = range(length, (longest or length) + 1)
        if state is None or state.rows.capacity < rows or state.length not in lengths:
            state = None  # frees its memory before the next is made
            state = self.make(rows, length)
        state.rows.active = rows
        yield state
        self.idle.append(state)

    def release_idle(self) -> None:
        """Free the tensors of all idle states."""
        self.idle.clear()


class LlamaDecoder:
    """Llama or Qwen2 (`LlamaForCausalLM`, `Qwen2ForCausalLM`) for prompts of embeddings.

    All prompts have the same text around each row's image features. The query, key and value
    matrices are fused into one, and so are gate and up: the modules keep views of them, so no
    memory is added.
    """

    def __init__(
        self,
        model: Any,
        before: torch.Tensor,
        after: torch.Tensor,
        fuse: bool = True,
        capture: Capture | None = None,
    ) -> None:
        """`before` (b, D) and `after` (a, D) are the embeddings around each row's features.

        `fuse` should be False where weights are memory maps of files, which fusing would copy.
        Packed weights are never fused.
        """
        self.model = model
        blocks = self.blocks()
        self.layers = [LlamaLayer(block, fuse) for block in blocks]
        config = model.config
        attention = blocks[0].self_attn
        self.head_dim = attention.head_dim
        self.heads = config.num_attention_heads
        self.key_value_heads = config.num_key_value_heads
        self.scale = attention.scaling
        heads = self.heads + 2 * self.key_value_heads
        self.widest = max(2 * config.intermediate_size, heads * self.head_dim)
        """The most values that one matrix product gives of a token."""
        self.rotary = (before.new_empty(0), before.new_empty(0))
        self.capture = capture
        self.set_prompt(before, after)

    def blocks(self) -> Sequence[Any]:
        """Return the model's decoder layers."""
        layers: Sequence[Any] = self.model.model.layers
        return layers

    def with_prompt(self, before: torch.Tensor, after: torch.Tensor) -> LlamaDecoder:
        """Return a decoder of the same model for prompts with other embeddings."""
        other = copy(self)
        other.set_prompt(before, after)
        return other

    def set_prompt(self, before: torch.Tensor, after: torch.Tensor) -> None:
        """Take the embeddings around each row's features."""
        self.before, self.after = before, after
        self.state_pool = DecodeStatePool(lambda rows, length: LlamaDecodeState(self, rows, length))
        self.prefix: list[tuple[torch.Tensor, torch.Tensor]] = []
        """Those of `before`, for `DecodeState.prefix`; empty if it is short."""
        if len(before) >= MIN_PREFIX_TOKENS:
            state = LlamaDecodeState(self, 1, len(before))
            state.extend(before[None])
            self.prefix = [(keys[0], values[0]) for keys, values in state.cache.layers]

    def rotary_tables(self, length: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return rotary cosines and signed sines, each (at least `length`, 1, head_dim)."""
        if len(self.rotary[0]) < length:
            position_ids = torch.arange(length, device=self.before.device)[None]
            cos, sin = self.model.model.rotary_emb(self.before, position_ids=position_ids)
            half = self.head_dim // 2
            sin = torch.cat([-sin[..., :half], sin[..., half:]], dim=-1)
            self.rotary = cos[0, :, None], sin[0, :, None]
        return self.rotary


class LlamaLayer:
    """One decoder layer: its modules, with their matrices fused or as they are."""

    def __init__(self, block: Any, fuse: bool) -> None:
        attention, mlp = block.self_attn, block.mlp
        self.input_norm, self.post_attention_norm = (
            block.input_layernorm,
            block.post_attention_layernorm,
        )
        # The MLP's matrices are larger, and may be packed where those of attention are not.
        largest = (attention.q_proj, mlp.gate_proj)
        fuse = fuse and not any(it.weight.is_mkldnn for it in largest)
        combine = fused if fuse else unfused
        self.qkv = combine(attention.q_proj, attention.k_proj, attention.v_proj)
        self.gate_up = fused(mlp.gate_proj, mlp.up_proj) if fuse else None
        self.gate_proj, self.up_proj = mlp.gate_proj, mlp.up_proj
        self.o_proj, self.down_proj, self.act_fn = attention.o_proj, mlp.down_proj, mlp.act_fn
        self.query_norm = getattr(attention, "q_norm", None)
        """The norm of each query head, which Qwen3 has; `key_norm` is that of each key head."""
        self.key_norm = getattr(attention, "k_norm", None)

    def norm_heads(self, query_key: torch.Tensor, heads: int) -> torch.Tensor:
        """Norm query and key heads (..., all heads, head_dim), of which `heads` are queries."""
        if self.query_norm is None:
            return query_key
        query, key = query_key[..., :heads, :], query_key[..., heads:, :]
        normed = apply_rms_norm(self.query_norm, query), apply_rms_norm(self.key_norm, key)
        return torch.cat(normed, dim=-2)

    def mlp(self, hidden_states: torch.Tensor) -> torch.Tensor:
        """Return the hidden states with the MLP's output added."""
        normed = apply_rms_norm(self.post_attention_norm, hidden_states)
        if self.gate_up is None:
            gate, up = self.gate_proj(normed), self.up_proj(normed)
        else:
            gate, up = self.gate_up(normed).chunk(2, dim=-1)
        output: torch.Tensor = hidden_states + self.down_proj(self.act_fn(gate) * up)
        return output


Projection = Callable[[torch.Tensor], torch.Tensor]
"""Several linear layers on one input: hidden states (..., D) to their outputs, concatenated."""


def unfused(*linears: nn.Module) -> Projection:
    """Run the linear layers one after the other."""
    return lambda hidden_states: torch.cat([it(hidden_states) for it in linears], dim=-1)


def fused(*linears: nn.Module) -> Projection:
    """Run the linear layers as one matrix product.

    Their weights become views of one matrix; likewise their biases, and the scales of quantized
    ones.
    """
    sizes = [len(it.get_parameter("weight")) for it in linears]
    parameters = {}
    for name, _ in list(linears[0].named_parameters()):
        parameters[name] = torch.cat([it.get_parameter(name) for it in linears])
        for module, view in zip(linears, torch.split(parameters[name], sizes), strict=True):
            setattr(module, name, nn.Parameter(view, requires_grad=False))
    if isinstance(linears[0], QuantizedLinear):
        return type(linears[0])(**parameters)
    multiply = product if isinstance(linears[0], CpuLinear) else linear
    return partial(multiply, **parameters)


def apply_rms_norm(module: Any, hidden_states: torch.Tensor) -> torch.Tensor:
    """Run the RMS norm of a transformers module by torch's own kernel."""
    return rms_norm(hidden_states, module.weight.shape, module.weight, module.variance_epsilon)


class LlamaDecodeState(DecodeState):
    """A batch in generation by a `LlamaDecoder`."""

    def __init__(self, decoder: LlamaDecoder, max_rows: int, length: int) -> None:
        super().__init__(
            max_rows,
            length,
            layers=len(decoder.layers),
            heads=decoder.key_value_heads,
            head_dim=decoder.head_dim,
            like=decoder.before,
            capture=decoder.capture,
        )
        self.decoder = decoder
        self.prefix = decoder.prefix
        self.cos, self.sin = decoder.rotary_tables(length)

    def prefill_slice(self, features: torch.Tensor) -> torch.Tensor:
        before = self.decoder.before[self.cache.used :]  # none where it is the prefix
        return self.extend(splice(before, features, self.decoder.after))

    def eager_step(self, input_ids: torch.Tensor) -> torch.Tensor:
        return self.extend(self.decoder.model.model.embed_tokens(input_ids)[:, None])

    def extend(self, inputs_embeds: torch.Tensor) -> torch.Tensor:
        """Run (rows, T, D) behind what is cached; return the logits of the last token."""
        tokens, cached = inputs_embeds.shape[1], self.cache.used
        positions = slice(cached, cached + tokens)
        rotary = self.cos[positions], self.sin[positions]
        mask = None
        is_padded = inputs_embeds.device.type == "cpu" and cached < tokens
        if cached and tokens > 1 and not is_padded:
            mask = inputs_embeds.new_ones(tokens, cached + tokens, dtype=torch.bool).tril(cached)
        logits = self.run_layers(inputs_embeds, rotary, mask)
        self.cache.used += tokens
        return logits

    def static_step(self, input_ids: torch.Tensor, position: torch.Tensor) -> torch.Tensor:
        rotary = self.cos[position], self.sin[position]
        mask = (self.positions <= position)[None]
        inputs_embeds = self.decoder.model.model.embed_tokens(input_ids)[:, None]
        return self.run_layers(inputs_embeds, rotary, mask, position)

    def run_layers(
        self,
        hidden_states: torch.Tensor,
        rotary: tuple[torch.Tensor, torch.Tensor],
        attention_mask: torch.Tensor | None,
        position: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return the logits of the last token.

        `attention_mask` (T, length), or (rows, 1, T, length), is True where a token attends; None
        for all tokens up to itself.
        """
        for index, layer in enumerate(self.decoder.layers):
            final = index == len(self.decoder.layers) - 1
            hidden_states = self.before_layer(index, hidden_states)
            hidden_states = self.attention(
                index, layer, hidden_states, rotary, attention_mask, position, final
            )
            hidden_states = layer.mlp(hidden_states)
        model = self.decoder.model
        logits: torch.Tensor = model.lm_head(apply_rms_norm(model.model.norm, hidden_states[:, -1]))
        return logits

    def before_layer(self, index: int, hidden_states: torch.Tensor) -> torch.Tensor:
        """Return what the layer at `index` gets: for some models more than the one before gave."""
        return hidden_states

    def attention(
        self,
        index: int,
        layer: LlamaLayer,
        hidden_states: torch.Tensor,
        rotary: tuple[torch.Tensor, torch.Tensor],
        attention_mask: torch.Tensor | None,
        position: torch.Tensor | None,
        final: bool,
    ) -> torch.Tensor:
        """Return the hidden states with attention's output added; `index` is the layer's.

        In the final layer only the last token is carried on: of the others nothing but keys and
        values is needed.
        """
        decoder = self.decoder
        normed = apply_rms_norm(layer.input_norm, hidden_states)
        qkv = layer.qkv(normed).view(*normed.shape[:2], -1, decoder.head_dim)
        rotary_heads = decoder.heads + decoder.key_value_heads
        query_key = layer.norm_heads(qkv[:, :, :rotary_heads], decoder.heads)
        query_key = apply_rotary(query_key, *rotary).transpose(1, 2)
        query, key = query_key[:, : decoder.heads], query_key[:, decoder.heads :]
        value = qkv[:, :, rotary_heads:].transpose(1, 2)
        keys, values = self.cache.append(index, key, value, position)
        if final:
            query, hidden_states = query[:, :, -1:], hidden_states[:, -1:]
            attention_mask = None if attention_mask is None else attention_mask[..., -1:, :]
        tokens, is_causal = query.shape[2], attention_mask is None and query.shape[2] > 1
        if is_causal and tokens < keys.shape[2]:
            # Queries of what is cached, which are not looked at: on a CPU the kernel for causal
            # masks, which needs as many queries as keys, is 1.6 times as fast as that for others.
            query = pad(query, (0, 0, keys.shape[2] - tokens, 0))
        attended = scaled_dot_product_attention(
            query,
            keys,
            values,
            attn_mask=attention_mask,
            is_causal=is_causal,
            scale=decoder.scale,
            enable_gqa=decoder.heads != decoder.key_value_heads,
        )[:, :, -tokens:]
        output: torch.Tensor = hidden_states + layer.o_proj(attended.transpose(1, 2).flatten(2))
        return output


def apply_rotary(heads: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Rotate query and key heads (rows, T, heads, head_dim) by position, in NeoX's halves.

    `sin` has its first half negated, so that one roll does what `rotate_half` does.
    """
    return heads * cos + heads.roll(heads.shape[-1] // 2, dims=-1) * sin
