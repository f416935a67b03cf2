"""Otter's network: the Perceiver resampler, gated cross-attention, and both around MPT or LLaMA.

The design is Flamingo's (arXiv 2204.14198). CLIP's patches are resampled to a few latents, which
gated cross-attention blocks in front of some decoder layers read (github.com/Luodian/Otter,
`modeling_otter.py`). Module names are those of the official weights. Loading and captioning are
in `otter`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import CLIPVisionModel, LlamaForCausalLM, MptForCausalLM

from engine.captioners.checkpoints.weights import Weights, count_layers, tensor_shape

HEAD_DIM = 64
"""Width of an attention head in Perceiver and cross-attention: the official code's default."""


def split_heads(hidden_states: torch.Tensor) -> torch.Tensor:
    """Reshape (B, t, inner) to (B, heads, t, 64)."""
    return hidden_states.reshape(*hidden_states.shape[:2], -1, HEAD_DIM).transpose(1, 2)


def attend(
    query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, to_q: nn.Linear
) -> torch.Tensor:
    """Return (B, t, inner): attention of (B, t, D) to keys and values (B, heads, m, 64)."""
    attended = scaled_dot_product_attention(split_heads(to_q(query)), keys, values)
    return attended.transpose(1, 2).flatten(2)


def feed_forward(width: int, inner: int) -> nn.Sequential:
    return nn.Sequential(
        nn.LayerNorm(width),
        nn.Linear(width, inner, bias=False),
        nn.GELU(),
        nn.Linear(inner, width, bias=False),
    )


class PerceiverLayer(nn.Module):
    """One layer of the Perceiver: the latents attend to the patches and to themselves."""

    def __init__(self, width: int, inner: int, feed_forward_width: int) -> None:
        super().__init__()
        self.norm_media = nn.LayerNorm(width)
        self.norm_latents = nn.LayerNorm(width)
        self.to_q = nn.Linear(width, inner, bias=False)
        self.to_kv = nn.Linear(width, 2 * inner, bias=False)
        self.to_out = nn.Linear(inner, width, bias=False)
        self.feed_forward = feed_forward(width, feed_forward_width)

    def forward(self, media: torch.Tensor, latents: torch.Tensor) -> torch.Tensor:
        """Return latents (B, latents, D) from patches `media` (B, n, D) and the latents before."""
        normed = self.norm_latents(latents)
        key_value_inputs = torch.cat([self.norm_media(media), normed], dim=1)
        keys, values = map(split_heads, self.to_kv(key_value_inputs).chunk(2, dim=-1))
        latents = latents + self.to_out(attend(normed, keys, values, self.to_q))
        output: torch.Tensor = latents + self.feed_forward(latents)
        return output


class Perceiver(nn.Module):
    """Resamples an image's patches to a fixed number of latents.

    Of the embeddings of frames and media, where a file has them, only the first is used: a caption
    has one image of one frame.
    """

    def __init__(self, weights: Weights, where: Path) -> None:
        """Build the module in the shapes of the checkpoint's weights; `where` is for errors."""
        super().__init__()
        count, width = tensor_shape(weights, "perceiver.latents", where)
        inner = tensor_shape(weights, "perceiver.layers.0.to_q.weight", where)[0]
        hidden = tensor_shape(weights, "perceiver.layers.0.feed_forward.1.weight", where)[0]
        self.frame_embs: torch.Tensor | None
        self.media_time_embs: torch.Tensor | None
        self.latents = nn.Parameter(torch.empty(count, width))
        for name in ("frame_embs", "media_time_embs"):
            stored = weights.get(f"perceiver.{name}")
            empty = None if stored is None else nn.Parameter(torch.empty(stored.shape))
            self.register_parameter(name, empty)
        depth = count_layers(weights, "perceiver.layers.")
        self.layers = nn.ModuleList(PerceiverLayer(width, inner, hidden) for _ in range(depth))
        self.norm = nn.LayerNorm(width)

    def forward(self, media: torch.Tensor) -> torch.Tensor:
        """Resample patches (B, n, D) to latents (B, latents, D)."""
        if self.frame_embs is not None:
            media = media + self.frame_embs[0]
        if self.media_time_embs is not None:
            media = media + self.media_time_embs[0]
        latents = self.latents.expand(media.shape[0], -1, -1)
        for layer in self.layers:
            latents = layer(media, latents)
        output: torch.Tensor = self.norm(latents)
        return output


class CrossAttention(nn.Module):
    """Attention of the text to the latents of its image."""

    def __init__(self, width: int, inner: int, media_width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.to_q = nn.Linear(width, inner, bias=False)
        self.to_kv = nn.Linear(media_width, 2 * inner, bias=False)
        self.to_out = nn.Linear(inner, width, bias=False)

    def media(self, latents: torch.Tensor) -> list[torch.Tensor]:
        """Return keys and values (B, heads, n, 64) of the images' latents (B, n, D)."""
        return [split_heads(part) for part in self.to_kv(latents).chunk(2, dim=-1)]

    def forward(
        self, text: torch.Tensor, media: Sequence[torch.Tensor], sees_image: torch.Tensor
    ) -> torch.Tensor:
        """`sees_image` (B, T, 1) is True where a token may attend to the image."""
        attended = attend(self.norm(text), media[0], media[1], self.to_q)
        output: torch.Tensor = self.to_out(attended * sees_image)
        return output


class GatedCrossAttention(nn.Module):
    """Cross-attention and a feed-forward network, each added through a learned tanh gate."""

    def __init__(self, width: int, inner: int, media_width: int, feed_forward_width: int) -> None:
        super().__init__()
        self.attn = CrossAttention(width, inner, media_width)
        self.attn_gate = nn.Parameter(torch.empty(1))
        self.feed_forward = feed_forward(width, feed_forward_width)
        self.ff_gate = nn.Parameter(torch.empty(1))

    def forward(self, text: torch.Tensor, context: MediaContext) -> torch.Tensor:
        media = self.attn.media(context.latents)
        return self.cross_attend(text, media, context.sees_image[..., None])

    def cross_attend(
        self, text: torch.Tensor, media: Sequence[torch.Tensor], sees_image: torch.Tensor
    ) -> torch.Tensor:
        """As `forward`, with keys and values that have been computed before."""
        text = text + self.attn_gate.tanh() * self.attn(text, media, sees_image)
        output: torch.Tensor = text + self.ff_gate.tanh() * self.feed_forward(text)
        return output


class MediaContext:
    """The images of the running batch, and which of its tokens may attend to them.

    With a KV cache the official code looks for `<image>` in the newest token alone, and so loses
    the image after the first decode step. Here a row that has seen its image goes on seeing it.
    """

    latents: torch.Tensor
    """The images' latents (B, latents, D)."""
    sees_image: torch.Tensor
    """True (B, T) for each token of the current forward pass at or after `<image>`."""

    def start(self, latents: torch.Tensor) -> None:
        """Start a batch of images."""
        self.latents = latents
        self.sees_image = torch.zeros(latents.shape[0], 1, dtype=torch.bool, device=latents.device)

    def extend(self, input_ids: torch.Tensor, image_id: int) -> None:
        """Take the tokens (B, T) of the next forward pass, which follow all tokens before."""
        self.sees_image = self.sees_image[:, -1:] | ((input_ids == image_id).cumsum(dim=1) > 0)


class OtterLayer(nn.Module):
    """A decoder layer, behind a cross-attention block where there is one."""

    def __init__(
        self, decoder: nn.Module, gated: nn.Module | None, media_context: MediaContext
    ) -> None:
        super().__init__()
        self.gated_cross_attn_layer = gated
        self.decoder_layer = decoder
        self.media_context = media_context

    def forward(self, hidden_states: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        if self.gated_cross_attn_layer is not None:
            hidden_states = self.gated_cross_attn_layer(hidden_states, self.media_context)
        return self.decoder_layer(hidden_states, *args, **kwargs)


class OtterModel(nn.Module):
    """CLIP, the Perceiver and MPT or LLaMA, whose decoder layers attend to the images."""

    def __init__(
        self,
        vision_encoder: CLIPVisionModel,
        perceiver: Perceiver,
        lang_encoder: MptForCausalLM | LlamaForCausalLM,
        gates: Mapping[int, nn.Module],
    ) -> None:
        """`gates` holds the cross-attention blocks by the index of the layer behind each."""
        super().__init__()
        self.image_size = vision_encoder.config.image_size
        self.vision_tokens = (self.image_size // vision_encoder.config.patch_size) ** 2 + 1
        self.vision_encoder = vision_encoder
        self.perceiver = perceiver
        self.lang_encoder = lang_encoder
        self.media_context = MediaContext()
        blocks = self.blocks
        for index, block in enumerate(blocks):
            blocks[index] = OtterLayer(block, gates.get(index), self.media_context)
        self.image_id = -1
        """The token id of `<image>`; whoever knows the tokenizer sets it."""
        lang_encoder.base_model.register_forward_pre_hook(self.track_tokens, with_kwargs=True)

    @property
    def blocks(self) -> Any:
        """The list of the language model's decoder layers."""
        decoder: Any = self.lang_encoder.base_model
        return decoder.layers if isinstance(self.lang_encoder, LlamaForCausalLM) else decoder.blocks

    def track_tokens(self, _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Tell `media_context` the tokens of each forward pass (a hook of the decoder)."""
        self.media_context.extend(args[0] if args else kwargs["input_ids"], self.image_id)

    def patches(self, pixel_values: torch.Tensor) -> torch.Tensor:
        """Encode images (B, 3, S, S) as patches (B, n, D), without the class token."""
        patches: torch.Tensor = self.vision_encoder(pixel_values).last_hidden_state[:, 1:]
        return patches

    def latents(self, pixel_values: torch.Tensor) -> torch.Tensor:
        """Encode images (B, 3, S, S) as latents (B, latents, D)."""
        latents: torch.Tensor = self.perceiver(self.patches(pixel_values))
        return latents

    def set_images(self, pixel_values: torch.Tensor) -> None:
        """Encode the images (B, 3, S, S) of the prompts that are run next."""
        self.media_context.start(self.latents(pixel_values))
