"""MPT with Otter's gated cross-attention, run by hand: see `decoders`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from engine.captioners.cache import KeyValues, Rows
from engine.captioners.decoders import Running


class MptRunning(Running):
    """What the images say to each cross-attention block is computed once for all steps."""

    def __init__(
        self,
        model: Any,
        prompt: Sequence[int],
        image_id: int,
        latents: torch.Tensor,
        new_tokens: int,
    ) -> None:
        """`model` is Otter's MptForCausalLM; one `prompt` for all rows; `latents` (B, n, D) are
        those of their images."""
        config = model.config
        length = len(prompt) + new_tokens
        self.model = model
        self.blocks = model.transformer.blocks
        self.heads = config.n_heads
        self.rows = Rows(len(latents))
        self.cache = KeyValues(
            self.rows, len(self.blocks), length, self.heads, config.d_model // self.heads, latents
        )
        self.media = [
            gated and [self.rows.hold(it) for it in gated.attn.media(latents)]
            for gated in (block.gated_cross_attn_layer for block in self.blocks)
        ]
        self.bias = model.transformer.build_mpt_alibi_tensor(
            self.heads, length, config.attn_config.alibi_bias_max, latents.device
        )
        ids = torch.tensor(prompt, device=latents.device)
        self.seen = ((ids == image_id).cumsum(dim=0) > 0)[None, :, None]
        self.logits = self.forward(ids.expand(len(latents), -1))
        self.seen = self.seen[:, -1:]

    def step(self, ids: torch.Tensor) -> torch.Tensor:
        return self.forward(ids[:, None])

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """(rows, T) behind what is cached; the logits of the last token."""
        hidden = self.model.transformer.wte(ids)
        for number, block in enumerate(self.blocks):
            media = self.media[number]
            if media is not None:
                now = [it[: self.rows.count] for it in media]
                hidden = block.gated_cross_attn_layer.look(hidden, now, self.seen)
            layer = block.decoder_layer
            hidden = hidden + self.attend(number, layer.attn, layer.norm_1(hidden))
            hidden = layer.ffn(layer.norm_2(hidden), hidden)
        self.cache.used += ids.shape[1]
        last = self.model.transformer.norm_f(hidden[:, -1])
        found: torch.Tensor = self.model.lm_head(last)
        return found

    def attend(self, number: int, attention: Any, hidden: torch.Tensor) -> torch.Tensor:
        """As `MptAttention`: its position bias is float32 whatever the model is."""
        mixed = attention.Wqkv(hidden)
        if attention.clip_qkv:
            mixed = mixed.clamp(min=-attention.clip_qkv, max=attention.clip_qkv)
        query, key, value = (
            it.unflatten(-1, (self.heads, -1)).transpose(1, 2) for it in mixed.chunk(3, dim=-1)
        )
        keys, values = self.cache.add(number, key, value)
        scores = query @ keys.transpose(-1, -2) * attention.softmax_scale
        scores = scores + self.bias[:, :, -keys.shape[2] :]
        tokens = hidden.shape[1]
        if tokens > 1:
            later = hidden.new_ones(tokens, tokens, dtype=torch.bool).triu(1)
            scores = scores.masked_fill(later, torch.finfo(hidden.dtype).min)
        weights = scores.float().softmax(dim=-1).to(values.dtype)
        found: torch.Tensor = attention.out_proj((weights @ values).transpose(1, 2).flatten(2))
        return found
