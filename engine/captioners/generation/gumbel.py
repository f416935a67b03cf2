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
"""Tokens that are looked at first. Sorting a vocabulary of 32,000 takes 23 times as long as finding
them."""
FEW = 1024
"""Tokens of which finding the likely ones costs more than the noise of all."""
REACH = 19.5
"""The largest noise is 16.64, the smallest -2.81: what lies further behind is never drawn."""


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
        """Scores (rows, vocabulary) whose largest is the sample; `step` counts new tokens.

        Where the `LIKELY` first hold all that can be drawn, no other token gets its noise.
        """
        logits = scores.float() / self.temperature
        words = torch.arange(logits.shape[1], device=logits.device)[None]
        if self.top_p is None and len(words[0]) <= FEW:
            return logits + noise(self.keys, step, words)
        likely, places = logits.topk(min(LIKELY, logits.shape[1]))
        if self.top_p is None:
            wide = likely[:, -1] > likely[:, 0] - REACH
        else:
            shares = torch.softmax(logits, dim=-1).gather(1, places)
            likely = likely.masked_fill(nucleus_end(shares, self.top_p), -torch.inf)
            wide = shares.sum(-1) < self.top_p
        found = torch.full_like(logits, -torch.inf)
        found.scatter_(1, places, likely + noise(self.keys, step, places))
        rows = wide.nonzero()[:, 0]
        if len(rows):
            kept = logits[rows] if self.top_p is None else keep_top_p(logits[rows], self.top_p)
            found[rows] = kept + noise(self.keys[rows], step, words)
        return found


def noise(keys: torch.Tensor, step: int, tokens: torch.Tensor) -> torch.Tensor:
    """Of tokens (rows or 1, n), by the keys of their rows."""
    row = mix(keys + (step * GOLDEN & MASK) & MASK)
    drawn = mix(row[:, None] + tokens * GOLDEN & MASK)
    # 23 bits and a half are exact in float32: never 0, never 1.
    uniform = ((drawn >> 40).float() + 0.5) / (1 << 23)
    return -torch.log(-torch.log(uniform))


def keep_top_p(logits: torch.Tensor, top_p: float) -> torch.Tensor:
    """Masks all but the fewest most likely tokens whose probabilities reach `top_p`."""
    ordered, places = torch.softmax(logits, dim=-1).sort(descending=True)
    beyond = nucleus_end(ordered, top_p)
    return logits.masked_fill(torch.zeros_like(beyond).scatter(1, places, beyond), -torch.inf)


def nucleus_end(ordered: torch.Tensor, top_p: float) -> torch.Tensor:
    """Where the shares before, most likely first, reach `top_p` already."""
    return ordered.cumsum(-1) - ordered >= top_p
