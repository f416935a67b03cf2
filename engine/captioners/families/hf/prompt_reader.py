"""Reading the prompts of a batch by the model itself, a few rows at a time.

Only prompts of the same length are read together, so that none is padded. The answers then go on
together, by the decode steps of `generation.padded_rows`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import torch
from torch import nn

from engine.captioners.families.hf.question import ModelInputs
from engine.captioners.families.hf.rows import collate, to_device
from engine.captioners.generation.padded_rows import (
    PaddedDecoder,
    PaddedDecodeState,
    find_text_model,
)
from engine.captioners.generation.row_slices import slice_rows

VISION_WIDTH = 8.0
"""The most values into which a layer of a vision tower turns one of a picture, where its layers do
not tell: in CLIP, 588 of a patch become 4,096."""


class PromptReader:
    """A model that reads prompts into the states of a decoder."""

    def __init__(self, model: Any, generate: Callable[..., Any], decoder: PaddedDecoder) -> None:
        """`generate` is the model's own, which prepares what the model reads."""
        self.model = model
        self.generate = generate
        self.decoder = decoder
        self.vision_width = vision_width(model)

    def read(self, state: PaddedDecodeState, rows: Sequence[ModelInputs]) -> None:
        """Read the prompts of all rows into a state. Raises whatever the model raises."""
        state.begin(max(map(prompt_tokens, rows)))
        for numbers in self.slices(rows):
            inputs = collate([rows[it] for it in numbers], None)
            self.generate(
                **to_device(inputs, self.model.device, self.model.dtype),
                max_new_tokens=1,
                do_sample=False,
                num_beams=1,
                custom_generate=partial(read_slice, state, numbers),
            )
        state.ready()

    def slices(self, rows: Sequence[ModelInputs]) -> Iterator[list[int]]:
        """Yield the numbers of rows that are read together: their prompts are equally long."""
        by_length: dict[int, list[int]] = {}
        for number, row in enumerate(rows):
            by_length.setdefault(prompt_tokens(row), []).append(number)
        for numbers in by_length.values():
            size = min(self.slice_rows(rows[it]) for it in numbers)
            for first in range(0, len(numbers), size):
                yield numbers[first : first + size]

    def slice_rows(self, row: ModelInputs) -> int:
        """Return how many rows like this one go through the vision side and prefill at a time."""
        vision = int(picture_values(row) * self.vision_width)
        values = max(prompt_tokens(row) * self.decoder.widest, vision)
        return slice_rows(values * self.model.dtype.itemsize, self.model.device)


def read_slice(
    state: PaddedDecodeState,
    numbers: Sequence[int],
    model: Any,
    input_ids: torch.Tensor,
    logits_processor: Any,
    stopping_criteria: Any,
    generation_config: Any,
    **inputs: Any,
) -> torch.Tensor:
    """Run the model on the prompts of some rows of a state, in place of the loop of `generate`."""
    prepared = model.prepare_inputs_for_generation(input_ids, is_first_iteration=True, **inputs)
    outputs = model(**prepared, return_dict=True)
    layers = [(layer.keys, layer.values) for layer in outputs.past_key_values.layers]
    state.fill(numbers, layers, next_positions(inputs, input_ids), outputs.logits[:, -1])
    return input_ids


def prompt_tokens(row: ModelInputs) -> int:
    """Return the number of tokens of a picture's prompt, those of the picture included."""
    tokens: int = row["input_ids"].shape[1]
    return tokens


def picture_values(row: ModelInputs) -> int:
    """Return how many numbers of floating point a picture has."""
    tensors = (it for it in row.values() if isinstance(it, torch.Tensor))
    return sum(it.numel() for it in tensors if it.is_floating_point())


def vision_width(model: Any) -> float:
    """Return the most values that a layer of the vision side makes of one value of a picture."""
    text = set(find_text_model(model).modules()) | {model.get_output_embeddings()}
    vision = [it for it in model.modules() if it not in text]
    widths = [it.out_features for it in vision if isinstance(it, nn.Linear)]
    patches = [it for it in vision if isinstance(it, (nn.Conv2d, nn.Conv3d))]
    if not widths or not patches:
        return VISION_WIDTH
    return max(1.0, max(widths) / patches[0].weight[0].numel())


def next_positions(inputs: ModelInputs, input_ids: torch.Tensor) -> torch.Tensor:
    """Return the rotary position (rows,) of the token behind each prompt."""
    positions = inputs.get("position_ids")
    if positions is None:
        return torch.full_like(input_ids[:, 0], input_ids.shape[1])
    # Behind a picture, the axes of Qwen2-VL's positions are the same.
    behind: torch.Tensor = positions.reshape(-1, *input_ids.shape)[-1, :, -1] + 1
    return behind
