"""A batch whose prompts the model reads a few rows at a time, and whose decode steps are ours.

Only prompts of the same length are read together, so that none is padded. The answers then go on
together, in `padded_rows`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from engine.captioners.families.hf.question import ModelInputs
from engine.captioners.families.hf.rows import collate, to_device
from engine.captioners.generation.padded_rows import PaddedDecoder, PaddedDecodeState
from engine.captioners.generation.row_slices import slice_rows

VISION_WIDTH = 8
"""The most values into which a layer of a vision tower turns one of a picture: in CLIP, 588 of a
patch become 4,096."""


def prompt_tokens(row: ModelInputs) -> int:
    """Return the number of tokens of a picture's prompt, those of the picture included."""
    tokens: int = row["input_ids"].shape[1]
    return tokens


def equal_lengths(
    rows: Sequence[ModelInputs], decoder: PaddedDecoder, model: Any
) -> Iterator[list[int]]:
    """Yield the numbers of rows whose prompts are equally long, as many as make a slice."""
    by_length: dict[int, list[int]] = {}
    for number, row in enumerate(rows):
        by_length.setdefault(prompt_tokens(row), []).append(number)
    for tokens, numbers in by_length.items():
        pixels = max(map(picture_values, (rows[it] for it in numbers)))
        values = max(tokens * decoder.widest, pixels * VISION_WIDTH)
        size = slice_rows(values * model.dtype.itemsize, model.device)
        for first in range(0, len(numbers), size):
            yield numbers[first : first + size]


def picture_values(row: ModelInputs) -> int:
    """Return how many numbers of floating point a picture has."""
    tensors = (it for it in row.values() if isinstance(it, torch.Tensor))
    return sum(it.numel() for it in tensors if it.is_floating_point())


def read_prompts(
    model: Any,
    generate: Callable[..., Any],
    decoder: PaddedDecoder,
    state: PaddedDecodeState,
    rows: Sequence[ModelInputs],
) -> None:
    """Have the model read the prompts of all rows into a state; `generate` is its own."""
    state.begin(max(map(prompt_tokens, rows)))
    for numbers in equal_lengths(rows, decoder, model):
        inputs = collate([rows[it] for it in numbers], None)

        def take_over(
            model: Any, input_ids: torch.Tensor, *, numbers: list[int] = numbers, **inputs: Any
        ) -> torch.Tensor:
            for key in ("logits_processor", "stopping_criteria", "generation_config"):
                del inputs[key]
            prepared = model.prepare_inputs_for_generation(
                input_ids, is_first_iteration=True, **inputs
            )
            outputs = model(**prepared, return_dict=True)
            layers = [(it.keys, it.values) for it in outputs.past_key_values.layers]
            state.fill(numbers, layers, next_positions(inputs, input_ids), outputs.logits[:, -1])
            return input_ids

        generate(
            **to_device(inputs, model.device, model.dtype),
            max_new_tokens=1,
            do_sample=False,
            num_beams=1,
            custom_generate=take_over,
        )
    state.ready()


def next_positions(inputs: ModelInputs, input_ids: torch.Tensor) -> torch.Tensor:
    """Return the rotary position (rows,) of the token behind each prompt."""
    positions = inputs.get("position_ids")
    if positions is None:
        return torch.full_like(input_ids[:, 0], input_ids.shape[1])
    # Behind a picture, the axes of Qwen2-VL's positions are the same.
    behind: torch.Tensor = positions.reshape(-1, *input_ids.shape)[-1, :, -1] + 1
    return behind
