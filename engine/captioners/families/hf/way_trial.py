"""The trial of the ways in which a model may run a batch: the fastest that says the same is taken.

Two drawn pictures are made to say the same tokens, alone by the plain way and together by another,
of which the first picture's row ends before the other. The logits of each row have to be equal at
every step.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from transformers import (
    LogitsProcessor,
    LogitsProcessorList,
    StoppingCriteria,
    StoppingCriteriaList,
)

from engine.captioners.families.hf.question import ModelInputs
from engine.captioners.families.hf.trial import NEW_TOKENS, are_equal
from engine.captioners.families.hf.ways import Way
from engine.hardware.memory import is_out_of_memory

TEXT = "a photo of"
"""What every row is made to say."""


class Say(LogitsProcessor):  # type: ignore[misc]
    """Makes every row say the same tokens, and notes the logits of each step."""

    def __init__(self, tokens: Sequence[int], rows: int) -> None:
        """Take the tokens that are said one after the other."""
        self.tokens = tokens
        self.rows = torch.arange(rows)
        """The numbers of the rows that are left."""
        self.noted: list[dict[int, torch.Tensor]] = []
        """The logits of each row (vocabulary,), by its number, for each step."""

    def select_rows(self, rows: torch.Tensor) -> None:
        """Go on with the rows at these indices alone, in this order."""
        self.rows = self.rows[rows.cpu()]

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        logits = scores.nan_to_num(neginf=0.0).float().cpu()
        self.noted.append(dict(zip(self.rows.tolist(), logits, strict=True)))
        said = torch.full_like(scores, -torch.inf)
        said[:, self.tokens[(len(self.noted) - 1) % len(self.tokens)]] = 0
        return said  # type: ignore[return-value]


class EndFirst(StoppingCriteria):  # type: ignore[misc]
    """Ends the first row of a batch of so many at its first token."""

    def __init__(self, rows: int) -> None:
        self.rows = rows

    def __call__(
        self, input_ids: torch.LongTensor, scores: torch.FloatTensor, **_: Any
    ) -> torch.BoolTensor:
        ended = torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)
        ended[0] = len(input_ids) == self.rows
        return ended  # type: ignore[return-value]


class WayTrial:
    """The logits of some rows alone, with which ways are compared."""

    def __init__(self, plain: Way, rows: Sequence[ModelInputs], tokens: Sequence[int]) -> None:
        """Take two rows, which will have to say `tokens`, and the plain way."""
        self.plain = plain
        self.tokens = tokens
        self.rows = rows

    @cached_property
    def alone(self) -> list[list[dict[int, torch.Tensor]]]:
        """The logits of each row alone, by the plain way."""
        return [self.logits(self.plain, [row], []) for row in self.rows]

    @torch.inference_mode()
    def logits(
        self, way: Way, rows: Sequence[ModelInputs], ends: Sequence[StoppingCriteria]
    ) -> list[dict[int, torch.Tensor]]:
        """Return the logits (vocabulary,) of each row, by its number, for each step."""
        say = Say(self.tokens, len(rows))
        way.run(
            rows,
            max_new_tokens=NEW_TOKENS,
            do_sample=False,
            num_beams=1,
            logits_processor=LogitsProcessorList([say]),
            stopping_criteria=StoppingCriteriaList(ends),
        )
        return say.noted

    def passes(self, way: Way) -> bool:
        """Return True if a way says of all rows together what the plain way says of each alone.

        Raises the error of a lack of memory.
        """
        try:
            expected = self.alone
            together = self.logits(way, self.rows, [EndFirst(len(self.rows))])
        except Exception as error:
            if is_out_of_memory(error):
                raise
            return False
        # Some models' own `generate` hands no logits processor on: then nothing can be shown.
        is_noted = all(len(steps) == NEW_TOKENS for steps in expected)
        has_dropped = [len(step) for step in together] == [2, *[1] * (NEW_TOKENS - 1)]
        return (
            is_noted
            and has_dropped
            and all(
                are_equal(expected[row][number][0], logits, way.model)
                for number, step in enumerate(together)
                for row, logits in step.items()
            )
        )
