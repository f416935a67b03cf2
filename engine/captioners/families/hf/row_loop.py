"""The loop that chooses token after token for a batch, and drops the rows that have ended.

`generate` of transformers prepares all else: it takes the loop as `custom_generate`, with its
logits processors and stopping criteria, so that an answer is what `generate` itself would say. Its
own loop runs every row until the last has ended.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

import torch

Loop = Callable[..., torch.Tensor]
"""What `generate` of transformers takes as `custom_generate`."""


class RunningRows(Protocol):
    """A batch behind its prompt."""

    logits: torch.Tensor
    """Logits (rows, vocabulary) of the first new token."""

    def step(self, input_ids: torch.Tensor) -> torch.Tensor:
        """Run a decode step: the newest token of each row (rows,) to logits (rows, vocabulary)."""

    def drop_ended(self, unfinished: Sequence[bool]) -> list[int]:
        """Go on without the rows that have ended; return the old index of the row at each index."""


Start = Callable[[Any, torch.Tensor, dict[str, Any]], RunningRows]
"""Reads the prompts: a model, token ids (rows, T) and the other inputs to the running rows."""


def row_loop(start: Start) -> Loop:
    """Return the loop over rows that `start` makes."""
    return partial(choose_tokens, start)


def choose_tokens(
    start: Start,
    model: Any,
    input_ids: torch.Tensor,
    logits_processor: Any,
    stopping_criteria: Any,
    generation_config: Any,
    **inputs: Any,
) -> torch.Tensor:
    """Return token ids (rows, T + at most max_new_tokens), padded after a row's end."""
    running = start(model, input_ids, inputs)
    new_ids: list[list[int]] = [[] for _ in input_ids]
    active = list(range(len(new_ids)))
    ids, logits = input_ids, running.logits
    while True:
        # A copy, since a processor may write into it.
        scores = logits_processor(ids, logits.to(copy=True, dtype=torch.float32))
        chosen = scores.argmax(dim=-1)
        ids = torch.cat([ids, chosen[:, None]], dim=1)
        for row, token in zip(active, chosen.tolist(), strict=True):
            new_ids[row].append(token)
        ended = stopping_criteria(ids, None).tolist()
        if all(ended):
            break
        if any(ended):
            kept = running.drop_ended([not it for it in ended])
            active = [active[row] for row in kept]
            index = torch.tensor(kept, device=ids.device)
            ids, chosen = ids[index], chosen[index]
            for processor in logits_processor:
                if hasattr(processor, "select_rows"):
                    processor.select_rows(index)
        logits = running.step(chosen)
    steps = max(map(len, new_ids))
    pad_id = int(generation_config.pad_token_id or 0)
    padded = [row + [pad_id] * (steps - len(row)) for row in new_ids]
    return torch.cat([input_ids, input_ids.new_tensor(padded)], dim=1)


class ModelRows:
    """A batch that the model of transformers runs itself, with a cache whose rows can be chosen."""

    def __init__(self, model: Any, input_ids: torch.Tensor, inputs: dict[str, Any]) -> None:
        """Read the prompts. The arguments are those of a `Start`."""
        self.model = model
        self.ids = input_ids
        self.inputs = inputs
        self.logits = self.run(is_first_iteration=True)

    def step(self, input_ids: torch.Tensor) -> torch.Tensor:
        self.ids = torch.cat([self.ids, input_ids[:, None]], dim=1)
        newest = 1 if self.inputs.get("use_cache", True) else None
        return self.run(next_sequence_length=newest)

    def run(self, **how: Any) -> torch.Tensor:
        """Run the model on what it has not read yet; return the logits of the last token."""
        prepared = self.model.prepare_inputs_for_generation(self.ids, **how, **self.inputs)
        outputs = self.model(**prepared, return_dict=True)
        self.inputs = self.model._update_model_kwargs_for_generation(
            outputs, self.inputs, is_encoder_decoder=self.model.config.is_encoder_decoder
        )
        logits: torch.Tensor = outputs.logits[:, -1]
        return logits

    def drop_ended(self, unfinished: Sequence[bool]) -> list[int]:
        kept = [row for row, goes_on in enumerate(unfinished) if goes_on]
        index = torch.tensor(kept, device=self.ids.device)
        rows, self.ids = len(self.ids), self.ids[index]
        self.inputs = {
            key: select_rows(value, index, rows, axis=axis_of_rows(key, value))
            for key, value in self.inputs.items()
        }
        return kept


def axis_of_rows(key: str, value: Any) -> int:
    """Return the axis of a model input that counts the rows of the batch."""
    # Positions on several axes, as of Qwen2-VL, are (axes, rows, T).
    return (
        1 if "position_ids" in key and isinstance(value, torch.Tensor) and value.dim() == 3 else 0
    )


def select_rows(value: Any, index: torch.Tensor, rows: int, axis: int = 0) -> Any:
    """Return a model input of `rows` rows with those at `index`; what has no rows stays as it is.

    A cache is changed itself.
    """
    if isinstance(value, torch.Tensor):
        has_rows = value.dim() > axis and value.shape[axis] == rows
        return value.index_select(axis, index) if has_rows else value
    if hasattr(value, "reorder_cache"):
        value.reorder_cache(index)
        return value
    if isinstance(value, dict):  # the outputs of an encoder, too
        for key, item in value.items():
            value[key] = select_rows(item, index, rows)
        return value
    if isinstance(value, (list, tuple)):
        return type(value)(select_rows(item, index, rows) for item in value)
    return value
