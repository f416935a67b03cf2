"""MPT with Otter's gated cross-attention, run by hand: see `decoders`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from engine.captioners.generation.cuda_graphs import Record
from engine.captioners.generation.static_decoders import Running


class MptRunning(Running):
    """What the images say to each cross-attention block is computed once for all steps."""

    def __init__(
        self,
        model: Any,
        prompt: Sequence[int],
        image_id: int,
        rows: int,
        length: int,
        record: Record | None = None,
    ) -> None:
        """`model` is Otter's MptForCausalLM; one `prompt` for all rows."""
        config = model.config
        self.model = model
        self.blocks = model.transformer.blocks
        self.heads = config.n_heads
        like = model.transformer.wte.weight
        width = config.d_model // self.heads
        super().__init__(rows, length, len(self.blocks), self.heads, width, like, record)
        self.media: list[list[torch.Tensor] | None] = [None] * len(self.blocks)
        self.bias = model.transformer.build_mpt_alibi_tensor(
            self.heads, length, config.attn_config.alibi_bias_max, like.device
        )
        self.prompt = torch.tensor(prompt, device=like.device)
        self.seen = ((self.prompt == image_id).cumsum(dim=0) > 0)[None, :, None]

    def begin(self, latents: torch.Tensor) -> None:
        """(B, n, D) of the rows' images."""
        self.cache.used = 0
        for number, block in enumerate(self.blocks):
            gated = block.gated_cross_attn_layer
            if gated is not None:
                self.look_at(number, gated.attn.media(latents))
        ids = self.prompt.expand(len(latents), -1)
        tokens = ids.shape[1]
        later = self.places[None, :tokens] > self.places[:tokens, None]
        self.logits = self.through(ids, self.seen, self.bias[:, :, -tokens:], later)
        self.cache.used = tokens
        if self.graphs is not None:
            self.cache.clear()

    def look_at(self, number: int, media: Sequence[torch.Tensor]) -> None:
        """Keys and values (B, heads, n, 64) for one block."""
        held = self.media[number]
        if held is None:
            sizes = [(self.rows.most, *it.shape[1:]) for it in media]
            held = [self.rows.hold(media[0].new_zeros(size)) for size in sizes]
            self.media[number] = held
        for tensor, given in zip(held, media, strict=True):
            tensor[: len(given)] = given

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        used = self.cache.used + 1
        found = self.through(ids[:, None], self.seen[:, -1:], self.bias[:, :, -used:])
        self.cache.used = used
        return found

    def step_at(self, ids: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
        last = self.length - 1
        distance = (last - place + self.places).clamp(max=last)
        later = (self.places > place)[None]
        bias = self.bias[:, :, distance]
        return self.through(ids[:, None], self.seen[:, -1:], bias, later, place)

    def through(
        self,
        ids: torch.Tensor,
        seen: torch.Tensor,
        bias: torch.Tensor,
        later: torch.Tensor | None = None,
        place: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """(rows, T) to the logits of the last token; `bias` (heads, 1, length) by position,
        `later` (T, length) is what a token may not look at."""
        hidden = self.model.transformer.wte(ids)
        for number, block in enumerate(self.blocks):
            media = self.media[number]
            if media is not None:
                now = [it[: len(ids)] for it in media]
                hidden = block.gated_cross_attn_layer.look(hidden, now, seen)
            layer = block.decoder_layer
            normed = layer.norm_1(hidden)
            hidden = hidden + self.attend(number, layer.attn, normed, bias, later, place)
            hidden = layer.ffn(layer.norm_2(hidden), hidden)
        last = self.model.transformer.norm_f(hidden[:, -1])
        found: torch.Tensor = self.model.lm_head(last)
        return found

    def attend(
        self,
        number: int,
        attention: Any,
        hidden: torch.Tensor,
        bias: torch.Tensor,
        later: torch.Tensor | None,
        place: torch.Tensor | None,
    ) -> torch.Tensor:
        """As `MptAttention`: its position bias is float32 whatever the model is."""
        mixed = attention.Wqkv(hidden)
        if attention.clip_qkv:
            mixed = mixed.clamp(min=-attention.clip_qkv, max=attention.clip_qkv)
        query, key, value = (
            it.unflatten(-1, (self.heads, -1)).transpose(1, 2) for it in mixed.chunk(3, dim=-1)
        )
        keys, values = self.cache.add(number, key, value, place)
        scores = query @ keys.transpose(-1, -2) * attention.softmax_scale + bias
        if later is not None:
            scores = scores.masked_fill(later, torch.finfo(hidden.dtype).min)
        weights = scores.float().softmax(dim=-1).to(values.dtype)
        found: torch.Tensor = attention.out_proj((weights @ values).transpose(1, 2).flatten(2))
        return found
