"""Joining the model inputs of single pictures to those of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from engine.captioners.families.hf.question import ModelInputs

TOKEN_KEYS = ("input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids")
"""The model inputs (1, T, ...) that have one entry for each token of the prompt, whatever T is."""


def collate(rows: Sequence[ModelInputs], pad_id: int | None) -> ModelInputs:
    """Join the model inputs of single pictures to those of a batch.

    What has an entry for each token is padded in front, all else is padded behind. A prompt is
    padded with `pad_id`, or for None with its own last token. Raises `ValueError`, `RuntimeError`
    and `KeyError` for inputs that cannot be joined.
    """
    if len(rows) == 1:
        return dict(rows[0])
    return {key: join(key, rows, pad_id) for key in rows[0]}


def join(key: str, rows: Sequence[ModelInputs], pad_id: int | None) -> Any:
    """Join the values of one key."""
    values = [row[key] for row in rows]
    if not isinstance(values[0], torch.Tensor):
        return [entry for value in values for entry in value]
    if values[0].dim() < 2:
        return torch.cat(values)
    in_front = all(is_per_token(key, row) for row in rows)
    size = [max(value.shape[axis] for value in values) for axis in range(1, values[0].dim())]
    if key == "input_ids":
        fills = [int(it[0, -1]) if pad_id is None else pad_id for it in values]
    else:
        fills = [0] * len(values)
    padded = [pad_to(it, size, fill, in_front) for it, fill in zip(values, fills, strict=True)]
    return torch.cat(padded)


def is_per_token(key: str, row: ModelInputs) -> bool:
    """Return True if a value of this row has one entry for each token of its prompt."""
    if key in TOKEN_KEYS:
        return True
    ids, value = row.get("input_ids"), row[key]
    return ids is not None and not value.is_floating_point() and value.shape[1] == ids.shape[1]


def pad_to(value: torch.Tensor, size: Sequence[int], fill: int, in_front: bool) -> torch.Tensor:
    """Pad a tensor (n, ...) to (n, *size); `in_front` says on which side of the second axis."""
    if tuple(value.shape[1:]) == tuple(size):
        return value
    padded = value.new_full((value.shape[0], *size), fill)
    first = slice(size[0] - value.shape[1], None) if in_front else slice(value.shape[1])
    inner = tuple(slice(length) for length in value.shape[2:])
    padded[(slice(None), first, *inner)] = value
    return padded


def to_device(inputs: ModelInputs, device: torch.device, dtype: torch.dtype) -> ModelInputs:
    """Return the inputs on a device, those of floating point in a dtype."""

    def move(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return value.to(device, dtype if value.is_floating_point() else None)
        return [move(it) for it in value] if isinstance(value, list) else value

    return {key: move(value) for key, value in inputs.items()}
