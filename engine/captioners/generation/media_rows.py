"""What Otter's cross-attention blocks read of the images of a batch in generation."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from engine.captioners.generation.kv_cache import DenseRows


class MediaRows:
    """Keys and values of a batch's images for each cross-attention block.

    They are computed once, at prefill, for all decode steps, and move with the batch's rows.
    """

    def __init__(self, rows: DenseRows, layers: int) -> None:
        """`layers` is the number of decoder layers, of which some have a block in front."""
        self.rows = rows
        self.stored: list[list[torch.Tensor] | None] = [None] * layers

    def store(self, index: int, media: Sequence[torch.Tensor]) -> None:
        """Keep the images' keys and values (rows, heads, n, 64) of the block of one layer."""
        stored = self.stored[index]
        if stored is None:
            sizes = [(self.rows.capacity, *it.shape[1:]) for it in media]
            stored = [self.rows.register(media[0].new_zeros(size)) for size in sizes]
            self.stored[index] = stored
        for tensor, values in zip(stored, media, strict=True):
            self.rows.of_pass(tensor, len(values))[:] = values

    def of_layer(self, index: int, count: int) -> list[torch.Tensor] | None:
        """Return what a forward pass of so many rows reads; None for a layer without a block."""
        stored = self.stored[index]
        return None if stored is None else [self.rows.of_pass(it, count) for it in stored]


def sees_image(prompt_ids: torch.Tensor, image_id: int) -> torch.Tensor:
    """Return True (1, T, 1) for each prompt token (T,) at or after `<image>`."""
    return ((prompt_ids == image_id).cumsum(dim=0) > 0)[None, :, None]
