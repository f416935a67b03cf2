"""The decode loop: chooses token after token for a batch, and drops rows that have ended.

`decode` gives the same tokens as `generate.generate`, which leaves the loop to transformers. That
one stays for models that only transformers knows how to run, and as the reference in tests.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from engine.captioners.generation.generate import STOP_TEXT_TOKENS, GenerationRequest
from engine.captioners.generation.gumbel import GumbelSampler
from engine.captioners.generation.static_decoders import DecodeState
from engine.shearing.sentences import first_sentence_complete


@torch.inference_mode()
def decode(
    state: DecodeState, request: GenerationRequest, prompt_ids: Sequence[int] = ()
) -> list[list[int]]:
    """Return the new token ids of each row, the one that ends it included.

    `state` is a batch after prefill. N-grams of `prompt_ids` count as repeated, too. Raises
    `torch.OutOfMemoryError`.
    """
    settings, logits = request.settings, state.logits
    new_ids: list[list[int]] = [[] for _ in request.record_ids]
    active_rows = list(range(len(new_ids)))
    sampler = make_sampler(request, logits.device)
    blockers = [NgramBlocker(settings.no_repeat_ngram, prompt_ids) for _ in new_ids]
    stop_ids, stop_text = set(request.stop_ids), StopTextCheck(request)
    sentence = SentenceCheck(request)
    for step in range(settings.max_new_tokens):
        scores = logits.float()
        if settings.no_repeat_ngram:
            ban_tokens(scores, [blockers[row].banned() for row in active_rows])
        if step < settings.min_new_tokens:
            scores[:, request.stop_ids] = -torch.inf
        if sampler is not None:
            scores = sampler.add_noise(scores, step)
        ids = scores.argmax(dim=-1)
        for row, token in zip(active_rows, ids.tolist(), strict=True):
            new_ids[row].append(token)
            blockers[row].add(token)
        unfinished = [
            not (
                new_ids[row][-1] in stop_ids
                or stop_text.ends(new_ids[row])
                or sentence.ends(row, new_ids[row])
            )
            for row in active_rows
        ]
        if step + 1 == settings.max_new_tokens or not any(unfinished):
            break
        if not all(unfinished):
            old_rows = state.drop_ended(unfinished)
            active_rows = [active_rows[row] for row in old_rows]
            selected = torch.tensor(old_rows, device=ids.device)
            ids = ids[selected]
            if sampler is not None:
                sampler.select_rows(selected)
        logits = state.step(ids)
    return new_ids


def make_sampler(request: GenerationRequest, device: torch.device) -> GumbelSampler | None:
    """Return the batch's sampler; None for greedy decoding."""
    settings = request.settings
    if settings.temperature <= 0:
        return None
    return GumbelSampler(
        record_ids=request.record_ids,
        seed=settings.seed,
        temperature=settings.temperature,
        top_p=settings.top_p,
        prompt_tokens=0,
        device=device,
        family_name=request.family_name,
    )


def ban_tokens(scores: torch.Tensor, banned: Sequence[Sequence[int]]) -> None:
    """Set the scores (rows, vocabulary) of each row's banned token ids to minus infinity."""
    rows = [row for row, tokens in enumerate(banned) for _ in tokens]
    if rows:
        tokens = [token for row in banned for token in row]
        scores[rows, tokens] = -torch.inf


class NgramBlocker:
    """Finds the tokens that would repeat an n-gram which one row already has."""

    def __init__(self, size: int, prompt_ids: Sequence[int]) -> None:
        """`size` is the n of the n-grams; 0 bans nothing."""
        self.size = size
        self.ids: list[int] = []
        self.followers: dict[tuple[int, ...], list[int]] = {}
        """The tokens that have followed each sequence of `size - 1` tokens."""
        for token in prompt_ids if size else ():
            self.add(token)

    def add(self, token: int) -> None:
        """Append a token to the row."""
        if not self.size:
            return
        if len(self.ids) >= self.size - 1:
            self.followers.setdefault(self.last(), []).append(token)
        self.ids.append(token)

    def last(self) -> tuple[int, ...]:
        """Return the last `size - 1` tokens."""
        return tuple(self.ids[len(self.ids) - self.size + 1 :])

    def banned(self) -> Sequence[int]:
        """Return the token ids that may not come next."""
        return self.followers.get(self.last(), ()) if len(self.ids) >= self.size - 1 else ()


class StopTextCheck:
    """Tells for each row when its newest token completes the stop text."""

    def __init__(self, request: GenerationRequest) -> None:
        self.text = request.stop_text
        self.tokenizer = request.tokenizer
        self.candidates: dict[int, bool] = {}
        """By token id, True if its text contains the stop text's last character; the row is decoded
        for these tokens only."""

    def ends(self, row: Sequence[int]) -> bool:
        """Return True if the stop text stands at the end of the row."""
        if self.text is None:
            return False
        token = row[-1]
        if token not in self.candidates:
            self.candidates[token] = self.text[-1] in self.tokenizer.decode([token])
        return self.candidates[token] and self.text in self.tokenizer.decode(
            row[-STOP_TEXT_TOKENS:]
        )


class SentenceCheck:
    """Tells for each row when its first sentence is over, if the settings end rows there."""

    def __init__(self, request: GenerationRequest) -> None:
        self.enabled = request.settings.stop_at_sentence
        self.tokenizer = request.tokenizer
        self.full_stops: dict[int, bool] = {}
        """By token id, True if its text contains a full stop."""
        self.rows_with_stop: set[int] = set()
        """The rows that contain a full stop; no other row is decoded."""

    def ends(self, row_index: int, row: Sequence[int]) -> bool:
        """Return True if the first sentence of the row is over."""
        if not self.enabled:
            return False
        token = row[-1]
        if token not in self.full_stops:
            self.full_stops[token] = "." in self.tokenizer.decode([token])
        if self.full_stops[token]:
            self.rows_with_stop.add(row_index)
        return row_index in self.rows_with_stop and first_sentence_complete(
            self.tokenizer.decode(row, skip_special_tokens=True)
        )
