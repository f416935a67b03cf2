"""The real worker with hardly any memory left beside the model, so that large batches fail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from engine.captioners.base import Caption, LoadedModel
from engine.protocol.messages import ModelSpec
from engine.worker import worker

ROOM_BYTES = 384 * 2**20
"""Bytes of GPU memory that are left once the model is loaded."""
IMITATED_ROOM = 5
"""Images of a batch for which an imitated GPU has room."""


class CrampedWorker(worker.Worker):
    """The real worker, which may use little more memory than its model needs."""

    def make_captioner(self, model: ModelSpec) -> LoadedModel:
        captioner = super().make_captioner(model)
        if self.device == "cuda":
            total = torch.cuda.get_device_properties(0).total_memory
            fraction = (torch.cuda.memory_reserved() + ROOM_BYTES) / total
            torch.cuda.set_per_process_memory_fraction(fraction)
        else:
            imitate_small_memory(captioner)
        return captioner


def imitate_small_memory(captioner: Any) -> None:
    """Have the captioner fail with batches of more than `IMITATED_ROOM` images, as a GPU does."""
    caption = captioner.caption

    def caption_few(prepared: Sequence[Any], record_ids: Sequence[int]) -> Sequence[Caption]:
        if len(prepared) > IMITATED_ROOM:
            raise torch.OutOfMemoryError("CUDA out of memory (imitated)")
        result: Sequence[Caption] = caption(prepared, record_ids)
        return result

    captioner.caption = caption_few


def main() -> None:
    worker.main(CrampedWorker)
