"""LLaMA with Otter's gated cross-attention on a static KV cache (see `static_decoders`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from engine.captioners.generation.cuda_graphs import Capture
from engine.captioners.generation.media_rows import MediaRows, sees_image
from engine.captioners.generation.static_decoders import LlamaDecoder, LlamaDecodeState


class OtterLlamaDecoder(LlamaDecoder):
    """Otter's LLaMA. Its prompts are token ids; no image features are among their embeddings."""

    def __init__(self, model: Any, fuse: bool = True, capture: Capture | None = None) -> None:
        """`model` is a LlamaForCausalLM whose layers are Otter's; the rest is as in the base."""
        none = model.model.embed_tokens.weight[:0]
        super().__init__(model, none, none, fuse, capture)
        self.gates = [layer.gated_cross_attn_layer for layer in model.model.layers]

    def blocks(self) -> Sequence[Any]:
        return [layer.decoder_layer for layer in self.model.model.layers]

    def make_state(
        self, prompt_ids: Sequence[int], image_id: int, max_rows: int, length: int
    ) -> OtterLlamaDecodeState:
        """Return a state for batches of a prompt; see `DecodeState` for the numbers."""
        return OtterLlamaDecodeState(self, prompt_ids, image_id, max_rows, length)


class OtterLlamaDecodeState(LlamaDecodeState):
    """A batch in generation by Otter's LLaMA."""

    def __init__(
        self,
        decoder: OtterLlamaDecoder,
        prompt_ids: Sequence[int],
        image_id: int,
        max_rows: int,
        length: int,
    ) -> None:
        """`image_id` is the token `<image>`; `prompt_ids` is the prompt of all rows."""
        super().__init__(decoder, max_rows, length)
        self.gates = decoder.gates
        self.media = MediaRows(self.rows, len(self.gates))
        self.prompt_ids = torch.tensor(prompt_ids, device=decoder.before.device)
        self.sees_image = sees_image(self.prompt_ids, image_id)

    def prefill_slice(self, features: torch.Tensor) -> torch.Tensor:
        """Run the prompt for images that are given as latents (rows, n, D)."""
        for index, gated in enumerate(self.gates):
            if gated is not None:
                self.media.store(index, gated.attn.media(features))
        embeds = self.decoder.model.model.embed_tokens(self.prompt_ids)
        return self.extend(embeds.expand(len(features), -1, -1))

    def before_layer(self, index: int, hidden_states: torch.Tensor) -> torch.Tensor:
        media = self.media.of_layer(index, len(hidden_states))
        if media is None:
            return hidden_states
        sees = self.sees_image[:, -hidden_states.shape[1] :]
        attended: torch.Tensor = self.gates[index].cross_attend(hidden_states, media, sees)
        return attended
