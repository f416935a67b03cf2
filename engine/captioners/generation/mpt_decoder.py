"""MPT with Otter's gated cross-attention on a static KV cache (see `static_decoders`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from engine.captioners.generation.cuda_graphs import Capture
from engine.captioners.generation.media_rows import MediaRows, sees_image
from engine.captioners.generation.static_decoders import DecodeState


class MptDecodeState(DecodeState):
    """A batch in generation by Otter's MPT."""

    def __init__(
        self,
        model: Any,
        prompt_ids: Sequence[int],
        image_id: int,
        max_rows: int,
        length: int,
        capture: Capture | None = None,
    ) -> None:
        """`model` is Otter's MptForCausalLM; `prompt_ids` is the prompt of all rows.

        `image_id` is the token `<image>`; `length` counts the tokens of prompt and answer.
        """
        config = model.config
        self.model = model
        self.blocks = model.transformer.blocks
        self.heads = config.n_heads
        like = model.transformer.wte.weight
        super().__init__(
            max_rows,
            length,
            layers=len(self.blocks),
            heads=self.heads,
            head_dim=config.d_model // self.heads,
            like=like,
            capture=capture,
        )
        self.media = MediaRows(self.rows, len(self.blocks))
        self.alibi = model.transformer.build_mpt_alibi_tensor(
            self.heads, length, config.attn_config.alibi_bias_max, like.device
        )
        self.prompt_ids = torch.tensor(prompt_ids, device=like.device)
        self.sees_image = sees_image(self.prompt_ids, image_id)

    def prefill_slice(self, features: torch.Tensor) -> torch.Tensor:
        """Run the prompt for images that are given as latents (rows, n, D)."""
        for index, block in enumerate(self.blocks):
            gated = block.gated_cross_attn_layer
            if gated is not None:
                self.media.store(index, gated.attn.media(features))
        input_ids = self.prompt_ids.expand(len(features), -1)
        tokens = input_ids.shape[1]
        masked = self.positions[None, :tokens] > self.positions[:tokens, None]
        logits = self.run_layers(input_ids, self.sees_image, self.alibi[:, :, -tokens:], masked)
        self.cache.used = tokens
        return logits

    def eager_step(self, input_ids: torch.Tensor) -> torch.Tensor:
        used = self.cache.used + 1
        logits = self.run_layers(
            input_ids[:, None], self.sees_image[:, -1:], self.alibi[:, :, -used:]
        )
        self.cache.used = used
        return logits

    def static_step(self, input_ids: torch.Tensor, position: torch.Tensor) -> torch.Tensor:
        last = self.length - 1
        distance = (last - position + self.positions).clamp(max=last)
        masked = (self.positions > position)[None]
        alibi = self.alibi[:, :, distance]
        return self.run_layers(input_ids[:, None], self.sees_image[:, -1:], alibi, masked, position)

    def run_layers(
        self,
        input_ids: torch.Tensor,
        sees_image: torch.Tensor,
        alibi: torch.Tensor,
        masked: torch.Tensor | None = None,
        position: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Run token ids (rows, T) behind what is cached; return the logits of the last token.

        `alibi` (heads, 1, length) is the bias by position; `masked` (T, length) is True where a
        token does not attend, None for nowhere.
        """
        hidden_states = self.model.transformer.wte(input_ids)
        for index, block in enumerate(self.blocks):
            media = self.media.of_layer(index, len(input_ids))
            if media is not None:
                hidden_states = block.gated_cross_attn_layer.cross_attend(
                    hidden_states, media, sees_image
                )
            layer = block.decoder_layer
            normed = layer.norm_1(hidden_states)
            hidden_states = hidden_states + self.attention(
                index, layer.attn, normed, alibi, masked, position
            )
            hidden_states = layer.ffn(layer.norm_2(hidden_states), hidden_states)
        normed = self.model.transformer.norm_f(hidden_states[:, -1])
        logits: torch.Tensor = self.model.lm_head(normed)
        return logits

    def attention(
        self,
        index: int,
        attention: Any,
        hidden_states: torch.Tensor,
        alibi: torch.Tensor,
        masked: torch.Tensor | None,
        position: torch.Tensor | None,
    ) -> torch.Tensor:
        """Return the output of one layer's self-attention, as transformers' `MptAttention`."""
        qkv = attention.Wqkv(hidden_states)
        if attention.clip_qkv:
            qkv = qkv.clamp(min=-attention.clip_qkv, max=attention.clip_qkv)
        query, key, value = (
            it.unflatten(-1, (self.heads, -1)).transpose(1, 2) for it in qkv.chunk(3, dim=-1)
        )
        keys, values = self.cache.append(index, key, value, position)
        # The position bias is float32 whatever the model's dtype is, and so are the scores.
        scores = query @ keys.transpose(-1, -2) * attention.softmax_scale + alibi
        if masked is not None:
            scores = scores.masked_fill(masked, torch.finfo(hidden_states.dtype).min)
        weights = scores.float().softmax(dim=-1).to(values.dtype)
        output: torch.Tensor = attention.out_proj((weights @ values).transpose(1, 2).flatten(2))
        return output
