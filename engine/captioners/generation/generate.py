"""Generating from spliced embeddings: text, image features, text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import LogitsProcessorList, StoppingCriteria, StoppingCriteriaList

from engine.captioners.base import Caption, CheckpointError
from engine.captioners.generation.gumbel import GumbelSampler
from engine.captioners.settings import Settings
from engine.shearing.sentences import is_over

TAIL = 8
"""Tokens that are decoded to find a stop text: the longest has three characters."""


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """What `generate` is told beside the prompt. `model` names the model to the sampler."""

    settings: Settings
    records: Sequence[int]
    model: str
    stop_ids: Sequence[int]
    pad_id: int
    stop_text: str | None = None
    """Text that ends a row though it is no token of its own."""
    tokenizer: Any = None
    """Decodes for `stop_text` and for the end of the first sentence."""


def choose_dtype(name: str, device: str) -> torch.dtype:
    if name != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[
            name
        ]
    return torch.float32 if device == "cpu" else torch.bfloat16


def check_length(prompt_tokens: int, settings: Settings, limit: int, name: str) -> None:
    """Raises `CheckpointError` where prompt and answer together go beyond what a model takes."""
    if prompt_tokens + settings.max_new_tokens > limit:
        raise CheckpointError(
            f"the prompt has {prompt_tokens} tokens and may go on for {settings.max_new_tokens}"
            f" more, but the model's {name} is {limit}: shorten the prompt or max_new_tokens"
        )


def splice(before: torch.Tensor, features: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
    """(b, D) and (a, D) around (B, n, D) gives (B, b + n + a, D)."""
    rows = features.shape[0]
    return torch.cat([before.expand(rows, -1, -1), features, after.expand(rows, -1, -1)], dim=1)


def pad_left(rows: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows (T_i, ...) as one (B, T, ...), zeros in front, and the mask (B, T) of what is not."""
    longest = max(row.shape[0] for row in rows)
    padded = rows[0].new_zeros(len(rows), longest, *rows[0].shape[1:])
    mask = torch.zeros(len(rows), longest, dtype=torch.long, device=rows[0].device)
    for number, row in enumerate(rows):
        padded[number, longest - row.shape[0] :] = row
        mask[number, longest - row.shape[0] :] = 1
    return padded, mask


class StopAtText(StoppingCriteria):  # type: ignore[misc]
    """Ends each row by itself where its new text holds `text`.

    MiniGPT-4's own criterion (`conversation.py`) looks at the first row alone, and so ends a
    whole batch with it.
    """

    def __init__(self, text: str, tokenizer: Any, prompt_tokens: int) -> None:
        self.text = text
        self.tokenizer = tokenizer
        self.prompt_tokens = prompt_tokens

    def __call__(
        self, input_ids: torch.LongTensor, scores: torch.FloatTensor, **_: Any
    ) -> torch.BoolTensor:
        new = input_ids[:, self.prompt_tokens :][:, -TAIL:].tolist()
        found = [self.text in self.tokenizer.decode(row) for row in new]
        return torch.tensor(found, device=input_ids.device)  # type: ignore[return-value]


class StopAtSentence(StoppingCriteria):  # type: ignore[misc]
    """Ends each row by itself when its first sentence is over."""

    def __init__(self, tokenizer: Any, prompt_tokens: int) -> None:
        self.tokenizer = tokenizer
        self.prompt_tokens = prompt_tokens

    def __call__(
        self, input_ids: torch.LongTensor, scores: torch.FloatTensor, **_: Any
    ) -> torch.BoolTensor:
        texts = self.tokenizer.batch_decode(
            input_ids[:, self.prompt_tokens :], skip_special_tokens=True
        )
        return torch.tensor([is_over(text) for text in texts], device=input_ids.device)  # type: ignore[return-value]


@torch.inference_mode()
def generate(
    model: Any, asked: GenerationRequest, mask: torch.Tensor, **prompt: torch.Tensor
) -> torch.Tensor:
    """New token ids, (B, at most max_new_tokens), `pad_id` after a row's end.

    The prompt is `inputs_embeds` (B, T, D) or `input_ids` (B, T) and what else the model takes,
    padded in front where `mask` (B, T) is 0. Raises `torch.OutOfMemoryError`.
    """
    settings = asked.settings
    # An encoder takes the prompt to itself; the decoder's ids begin with a token of its own.
    encoder = bool(getattr(model.config.get_text_config(), "is_encoder_decoder", False))
    known = 1 if encoder else prompt["input_ids"].shape[1] if "input_ids" in prompt else 0
    processors = LogitsProcessorList()
    if settings.temperature > 0:
        processors.append(
            GumbelSampler(
                asked.records,
                settings.seed,
                settings.temperature,
                settings.top_p,
                known,
                mask.device,
                asked.model,
            )
        )
    stopping = StoppingCriteriaList()
    if asked.stop_text is not None:
        stopping.append(StopAtText(asked.stop_text, asked.tokenizer, known))
    if settings.stop_at_sentence:
        stopping.append(StopAtSentence(asked.tokenizer, known))
    ids: torch.Tensor = model.generate(
        **prompt,
        attention_mask=mask,
        max_new_tokens=settings.max_new_tokens,
        min_new_tokens=settings.min_new_tokens or None,
        no_repeat_ngram_size=settings.no_repeat_ngram or None,
        do_sample=False,
        num_beams=1,
        eos_token_id=list(asked.stop_ids),
        pad_token_id=asked.pad_id,
        logits_processor=processors,
        stopping_criteria=stopping,
        use_cache=True,
    )
    return ids[:, known:]


def to_captions(ids: torch.Tensor, tokenizer: Any, asked: GenerationRequest) -> list[Caption]:
    """Each row of new ids up to its stop token or its stop text, as text."""
    rows: list[list[int]] = ids.tolist()
    if asked.settings.stop_at_sentence:
        for row in rows:  # what ended them is no token, and padding follows
            while row and row[-1] == asked.pad_id:
                row.pop()
    return [to_caption(row, tokenizer, asked) for row in rows]


def to_caption(row: Sequence[int], tokenizer: Any, asked: GenerationRequest) -> Caption:
    end = next((place for place, token in enumerate(row) if token in asked.stop_ids), len(row))
    text = tokenizer.decode(row[:end], skip_special_tokens=True)
    stop = asked.stop_text
    if stop is None or stop not in text:
        over = end < len(row) or (asked.settings.stop_at_sentence and is_over(text))
        return Caption(text, end, "stop" if over else "length")
    # The token that completes the stop text is none of the caption.
    tokens = end - 1
    while tokens and stop in tokenizer.decode(row[:tokens], skip_special_tokens=True):
        tokens -= 1
    return Caption(text.split(stop, 1)[0], tokens, "stop")
