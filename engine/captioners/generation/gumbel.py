"""Sampling that depends on family, seed, record id, step and token, never on batch or worker.

`argmax(logits / temperature + gumbel)` draws from the softmax (the Gumbel-max trick), so that
`generate` of transformers runs without its own sampling. The noise is a hash of all that it may
depend on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from transformers import LogitsProcessor

MASK = (1 << 63) - 1
"""Keeps hashes to 63 bits: torch has no unsigned 64-bit arithmetic."""
GOLDEN = 0x1E3779B97F4A7C15
"""The increment of splitmix64 (2**64 / the golden ratio), its lower 63 bits."""
FIRST = 0x3F58476D1CE4E5B9
"""The first multiplier of splitmix64's finaliser, its lower 63 bits."""
SECOND = 0x14D049BB133111EB
"""The second multiplier of splitmix64's finaliser, its lower 63 bits."""
LIKELY = 64
"""Number of most likely tokens that are tried before all of the vocabulary. Sorting a vocabulary of
32,000 takes 23 times as long as finding them."""
SMALL_VOCABULARY = 1024
"""Vocabulary size up to which noise for all tokens costs less than finding the likely ones."""
REACH = 19.5
"""Distance from the largest logit beyond which a token is never drawn: the largest noise is 16.64,
the smallest -2.81."""


def mix(value: torch.Tensor) -> torch.Tensor:
    """Hash int64 values to 63 bits, in the manner of splitmix64's finaliser."""
    # 63 bits, because shifts of a negative int64 keep its sign.
    value = (value ^ (value >> 30)) * FIRST & MASK
    value = (value ^ (value >> 27)) * SECOND & MASK
    return value ^ (value >> 31)


def mix_int(value: int) -> int:
    return int(mix(torch.tensor(value, dtype=torch.int64)))


def name_hash(name: str) -> int:
    """Return 63 bits that are the same in every process."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) & MASK


class GumbelSampler(LogitsProcessor):  # type: ignore[misc]
    """Temperature, top-p and Gumbel noise of a batch: the largest score it returns is the sample.

    A logits processor of transformers, and used without it by `decode_loop`.
    """

    def __init__(
        self,
        record_ids: Sequence[int],
        seed: int,
        temperature: float,
        top_p: float | None,
        prompt_tokens: int,
        device: torch.device,
        family_name: str,
    ) -> None:
        """`prompt_tokens` is the length of `input_ids` at the first step."""
        key = (seed * GOLDEN ^ name_hash(family_name)) & MASK
        # The seed is mixed by itself first: otherwise the next seed would shift the draws by one
        # record.
        self.keys = mix(
            torch.tensor(record_ids, dtype=torch.int64, device=device) + mix_int(key) & MASK
        )
        self.temperature = temperature
        self.top_p = top_p
        self.prompt_tokens = prompt_tokens

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        """Return scores (rows, vocabulary) whose largest is the sample, as transformers asks."""
        return self.add_noise(scores, input_ids.shape[1] - self.prompt_tokens)  # type: ignore[return-value]

    def select_rows(self, rows: torch.Tensor) -> None:
        """Go on with the rows at these indices alone, in this order."""
        self.keys = self.keys[rows]

    def add_noise(self, scores: torch.Tensor, step: int) -> torch.Tensor:
        """Return scores (rows, vocabulary) whose largest is the sample; `step` counts new tokens.

        Where the `LIKELY` most likely tokens include all that can be drawn, no other token gets
        noise: it scores minus infinity.
        """
        logits = scores.float() / self.temperature
        vocabulary = torch.arange(logits.shape[1], device=logits.device)[None]
        if self.top_p is None and len(vocabulary[0]) <= SMALL_VOCABULARY:
            return logits + noise(self.keys, step, vocabulary)
        likely, tokens = logits.topk(min(LIKELY, logits.shape[1]))
        if self.top_p is None:
            needs_all = likely[:, -1] > likely[:, 0] - REACH
        else:
            probabilities = torch.softmax(logits, dim=-1).gather(1, tokens)
            likely = likely.masked_fill(beyond_nucleus(probabilities, self.top_p), -torch.inf)
            needs_all = probabilities.sum(-1) < self.top_p
        result = torch.full_like(logits, -torch.inf)
        result.scatter_(1, tokens, likely + noise(self.keys, step, tokens))
        rows = needs_all.nonzero()[:, 0]
        if len(rows):
            kept = logits[rows] if self.top_p is None else keep_top_p(logits[rows], self.top_p)
            result[rows] = kept + noise(self.keys[rows], step, vocabulary)
        return result


def noise(keys: torch.Tensor, step: int, tokens: torch.Tensor) -> torch.Tensor:
    """Return Gumbel noise (rows, n) for token ids (rows or 1, n), by the rows' keys (rows,)."""
    row = mix(keys + (step * GOLDEN & MASK) & MASK)
    drawn = mix(row[:, None] + tokens * GOLDEN & MASK)
    # 23 bits and a half are exact in float32: never 0, never 1.
    uniform = ((drawn >> 40).float() + 0.5) / (1 << 23)
    return -torch.log(-torch.log(uniform))


def keep_top_p(logits: torch.Tensor, top_p: float) -> torch.Tensor:
    """Mask all but the fewest most likely tokens whose probabilities reach `top_p`."""
    ordered, tokens = torch.softmax(logits, dim=-1).sort(descending=True)
    beyond = beyond_nucleus(ordered, top_p)
    return logits.masked_fill(torch.zeros_like(beyond).scatter(1, tokens, beyond), -torch.inf)


def beyond_nucleus(probabilities: torch.Tensor, top_p: float) -> torch.Tensor:
    """Return True for each token before which the probabilities reach `top_p` already.

    `probabilities` (rows, n) are sorted, most likely first.
    """
    return probabilities.cumsum(-1) - probabilities >= top_p
