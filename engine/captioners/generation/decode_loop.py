"""Choosing token after token for a batch; rows that have ended cost no further step.

Says what `generation.generate` says, which leaves the same to transformers and stays for models
that are only known to it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from engine.captioners.generation.generate import TAIL, GenerationRequest
from engine.captioners.generation.gumbel import GumbelSampler
from engine.captioners.generation.static_decoders import Running
from engine.shearing.sentences import is_over


@torch.inference_mode()
def decode(
    running: Running, asked: GenerationRequest, prompt: Sequence[int] = ()
) -> list[list[int]]:
    """New ids of each row, up to and with the one that ends it.

    Repeated n-grams are looked for in the ids of `prompt`, too. Raises `torch.OutOfMemoryError`.
    """
    settings, logits = asked.settings, running.logits
    found: list[list[int]] = [[] for _ in asked.records]
    going_on = list(range(len(found)))
    sampler = make_sampler(asked, logits.device)
    repeats = [Repeats(settings.no_repeat_ngram, prompt) for _ in found]
    stops, text, sentence = set(asked.stop_ids), StopText(asked), FirstSentence(asked)
    for number in range(settings.max_new_tokens):
        scores = logits.float()
        if settings.no_repeat_ngram:
            ban(scores, [repeats[row].banned() for row in going_on])
        if number < settings.min_new_tokens:
            scores[:, asked.stop_ids] = -torch.inf
        if sampler is not None:
            scores = sampler.noisy(scores, number)
        ids = scores.argmax(dim=-1)
        for row, token in zip(going_on, ids.tolist(), strict=True):
            found[row].append(token)
            repeats[row].add(token)
        kept = [
            not (found[row][-1] in stops or text.ends(found[row]) or sentence.ends(row, found[row]))
            for row in going_on
        ]
        if number + 1 == settings.max_new_tokens or not any(kept):
            break
        if not all(kept):
            places = running.rows.keep(kept)
            going_on = [going_on[place] for place in places]
            chosen = torch.tensor(places, device=ids.device)
            ids = ids[chosen]
            if sampler is not None:
                sampler.keep(chosen)
        logits = running.step(ids)
    return found


def make_sampler(asked: GenerationRequest, device: torch.device) -> GumbelSampler | None:
    settings = asked.settings
    if settings.temperature <= 0:
        return None
    return GumbelSampler(
        asked.records,
        settings.seed,
        settings.temperature,
        settings.top_p,
        0,
        device,
        asked.model,
    )


def ban(scores: torch.Tensor, banned: Sequence[Sequence[int]]) -> None:
    """Sets the scores (rows, vocabulary) of each row's tokens to minus infinity."""
    rows = [row for row, tokens in enumerate(banned) for _ in tokens]
    if rows:
        tokens = [token for row in banned for token in row]
        scores[rows, tokens] = -torch.inf


class Repeats:
    """The tokens that would complete an n-gram that a row already has."""

    def __init__(self, size: int, prompt: Sequence[int]) -> None:
        """`size` 0 forbids nothing."""
        self.size = size
        self.ids: list[int] = []
        self.followers: dict[tuple[int, ...], list[int]] = {}
        for token in prompt if size else ():
            self.add(token)

    def add(self, token: int) -> None:
        if not self.size:
            return
        if len(self.ids) >= self.size - 1:
            self.followers.setdefault(self.last(), []).append(token)
        self.ids.append(token)

    def last(self) -> tuple[int, ...]:
        return tuple(self.ids[len(self.ids) - self.size + 1 :])

    def banned(self) -> Sequence[int]:
        return self.followers.get(self.last(), ()) if len(self.ids) >= self.size - 1 else ()


class StopText:
    """Whether a row's newest token completes the stop text."""

    def __init__(self, asked: GenerationRequest) -> None:
        self.text = asked.stop_text
        self.tokenizer = asked.tokenizer
        self.candidates: dict[int, bool] = {}
        """Whether a token holds the stop text's last character: the others cost no look."""

    def ends(self, row: Sequence[int]) -> bool:
        if self.text is None:
            return False
        token = row[-1]
        if token not in self.candidates:
            self.candidates[token] = self.text[-1] in self.tokenizer.decode([token])
        return self.candidates[token] and self.text in self.tokenizer.decode(row[-TAIL:])


class FirstSentence:
    """Whether a row's first sentence is over, where the settings end rows there."""

    def __init__(self, asked: GenerationRequest) -> None:
        self.wanted = asked.settings.stop_at_sentence
        self.tokenizer = asked.tokenizer
        self.full_stops: dict[int, bool] = {}
        """Whether a token holds one: a row without any costs no look."""
        self.looking: set[int] = set()

    def ends(self, number: int, row: Sequence[int]) -> bool:
        if not self.wanted:
            return False
        token = row[-1]
        if token not in self.full_stops:
            self.full_stops[token] = "." in self.tokenizer.decode([token])
        if self.full_stops[token]:
            self.looking.add(number)
        return number in self.looking and is_over(
            self.tokenizer.decode(row, skip_special_tokens=True)
        )
