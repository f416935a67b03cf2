"""Sampling that depends on model, seed, record, step and token, never on batch or worker.

`argmax(logits / temperature + gumbel)` draws from the softmax (the Gumbel-max trick), so that
`generate` runs without its own sampling; the noise is a hash of what it may depend on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from transformers import LogitsProcessor

MASK = (1 << 63) - 1
GOLDEN = 0x1E3779B97F4A7C15
FIRST = 0x3F58476D1CE4E5B9
SECOND = 0x14D049BB133111EB
LIKELY = 64
"""Tokens among which a nucleus is looked for before the whole vocabulary is sorted."""


def mix(value: torch.Tensor) -> torch.Tensor:
    """A finaliser in the manner of splitmix64, on 63 bits: int64 shifts keep the sign."""
    value = (value ^ (value >> 30)) * FIRST & MASK
    value = (value ^ (value >> 27)) * SECOND & MASK
    return value ^ (value >> 31)


def mix_int(value: int) -> int:
    return int(mix(torch.tensor(value, dtype=torch.int64)))


def name_hash(name: str) -> int:
    """63 bits, the same in every process."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) & MASK


class GumbelSampler(LogitsProcessor):  # type: ignore[misc]
    """Temperature, top-p and noise; greedy choice of what comes out is the sample."""

    def __init__(
        self,
        records: Sequence[int],
        seed: int,
        temperature: float,
        top_p: float | None,
        prompt_tokens: int,
        device: torch.device,
        model: str,
    ) -> None:
        """`prompt_tokens` is the length of `input_ids` at the first step."""
        key = (seed * GOLDEN ^ name_hash(model)) & MASK
        # The seed's own mix first: else the next seed would shift the draws by one record.
        self.keys = mix(
            torch.tensor(records, dtype=torch.int64, device=device) + mix_int(key) & MASK
        )
        self.temperature = temperature
        self.top_p = top_p
        self.prompt_tokens = prompt_tokens

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        """Scores of shape (rows, vocabulary)."""
        return self.noisy(scores, input_ids.shape[1] - self.prompt_tokens)  # type: ignore[return-value]

    def keep(self, places: torch.Tensor) -> None:
        """Goes on with the rows that lay at these places."""
        self.keys = self.keys[places]

    def noisy(self, scores: torch.Tensor, step: int) -> torch.Tensor:
        """Scores (rows, vocabulary) whose largest is the sample; `step` counts new tokens."""
        logits = scores.float() / self.temperature
        if self.top_p is not None:
            logits = keep_top_p(logits, self.top_p)
        tokens = torch.arange(logits.shape[1], dtype=torch.int64, device=logits.device)
        row = mix(self.keys + (step * GOLDEN & MASK) & MASK)
        noise = mix(row[:, None] + tokens * GOLDEN & MASK)
        # 23 bits and a half are exact in float32: never 0, never 1.
        uniform = ((noise >> 40).float() + 0.5) / (1 << 23)
        return logits - torch.log(-torch.log(uniform))


def keep_top_p(logits: torch.Tensor, top_p: float) -> torch.Tensor:
    """Masks all but the fewest most likely tokens whose probabilities reach `top_p`.

    Most rows need few: whole vocabularies of 32,000 took 23 times as long to sort.
    """
    shares = torch.softmax(logits, dim=-1)
    likely, places = shares.topk(min(LIKELY, shares.shape[1]))
    beyond = nucleus_end(likely, top_p)
    masked = torch.full_like(logits, -torch.inf)
    masked.scatter_(1, places, logits.gather(1, places).masked_fill(beyond, -torch.inf))
    wide = (likely.sum(-1) < top_p).nonzero()[:, 0]
    if len(wide):
        ordered, places = shares[wide].sort(descending=True)
        beyond = nucleus_end(ordered, top_p)
        masked[wide] = logits[wide].masked_fill(
            torch.zeros_like(beyond).scatter(1, places, beyond), -torch.inf
        )
    return masked


def nucleus_end(ordered: torch.Tensor, top_p: float) -> torch.Tensor:
    """Where the shares before, most likely first, reach `top_p` already."""
    return ordered.cumsum(-1) - ordered >= top_p
