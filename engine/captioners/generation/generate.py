"""Generation by transformers' `generate`, and what it shares with our own `decode_loop`.

Shared are the request, the layout of prompts (text, image features, text), and turning new token
ids into captions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import LogitsProcessorList, StoppingCriteria, StoppingCriteriaList

from engine.captioners.base import Caption, CheckpointError
from engine.captioners.generation.gumbel import GumbelSampler
from engine.captioners.settings import Settings
from engine.shearing.reasoning import TAG
from engine.shearing.sentences import first_sentence_complete

STOP_TEXT_TOKENS = 8
"""Number of newest tokens that are decoded to find a stop text, which has three characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationRequest:
    """One batch to be generated: all that `generate` and `decode` need beside the prompt."""

    settings: Settings
    record_ids: Sequence[int]
    """The record id of each row: sampling depends on it."""
    family_name: str
    """The family's name: sampling depends on it."""
    stop_ids: Sequence[int]
    """Token ids that end a row."""
    pad_id: int
    """The token id that fills a row after its end."""
    stop_text: str | None = None
    """Text that ends a row though it is no token of its own."""
    tokenizer: Any = None
    """Decodes token ids; needed for `stop_text` and for `stop_at_sentence`."""
    opens_reasoning: bool = False
    """True if the prompt ends with the tag at which the model's reasoning begins."""
    reasoning_tags: Mapping[int, str] = field(default_factory=dict)
    """The tags of reasoning that are special tokens, by id: decoding keeps them."""


def decode_text(tokenizer: Any, ids: Sequence[int], tags: Mapping[int, str]) -> str:
    """Return the text of token ids, without special tokens but `tags`, which are texts by id."""
    parts: list[str] = []
    start = 0
    for end, token in enumerate(ids):
        if token in tags:
            parts += (tokenizer.decode(ids[start:end], skip_special_tokens=True), tags[token])
            start = end + 1
    return "".join([*parts, tokenizer.decode(ids[start:], skip_special_tokens=True)])


def reasoning_tags(tokenizer: Any) -> dict[int, str]:
    """Return the special tokens of a tokenizer that are tags of reasoning, by id."""
    added = getattr(tokenizer, "added_tokens_decoder", {})
    return {
        number: token.content
        for number, token in added.items()
        if token.special and TAG.fullmatch(token.content)
    }


def choose_dtype(name: str, device: str) -> torch.dtype:
    """Return the dtype that the setting `dtype` names; `auto` depends on the device."""
    if name != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[
            name
        ]
    return torch.float32 if device == "cpu" else torch.bfloat16


def check_length(prompt_tokens: int, settings: Settings, limit: int, limit_name: str) -> None:
    """Raise `CheckpointError` where prompt and answer together exceed the model's token limit.

    `limit_name` is the key of the limit in the model's config.json.
    """
    if prompt_tokens + settings.max_new_tokens > limit:
        raise CheckpointError(
            f"the prompt has {prompt_tokens} tokens and may go on for {settings.max_new_tokens}"
            f" more, but the model's {limit_name} is {limit}: shorten the prompt or max_new_tokens"
        )


def splice(before: torch.Tensor, features: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
    """Put embeddings (b, D) and (a, D) around features (B, n, D): return (B, b + n + a, D)."""
    rows = features.shape[0]
    return torch.cat([before.expand(rows, -1, -1), features, after.expand(rows, -1, -1)], dim=1)


def pad_left(rows: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Stack rows (T_i, ...) as (B, T, ...) with zeros in front; return it and its attention mask.

    The attention mask (B, T) is 0 where a row is padded.
    """
    longest = max(row.shape[0] for row in rows)
    padded = rows[0].new_zeros(len(rows), longest, *rows[0].shape[1:])
    mask = torch.zeros(len(rows), longest, dtype=torch.long, device=rows[0].device)
    for index, row in enumerate(rows):
        padded[index, longest - row.shape[0] :] = row
        mask[index, longest - row.shape[0] :] = 1
    return padded, mask


class StopAtText(StoppingCriteria):  # type: ignore[misc]
    """Ends each row by itself where its newest tokens contain `text`.

    MiniGPT-4's own criterion (`conversation.py`) looks at the first row alone, and so ends a
    whole batch with it.
    """

    def __init__(self, text: str, tokenizer: Any, prompt_tokens: int) -> None:
        """`prompt_tokens` is the length of `input_ids` before the first new token."""
        self.text = text
        self.tokenizer = tokenizer
        self.prompt_tokens = prompt_tokens

    def __call__(
        self, input_ids: torch.LongTensor, scores: torch.FloatTensor, **_: Any
    ) -> torch.BoolTensor:
        newest = input_ids[:, self.prompt_tokens :][:, -STOP_TEXT_TOKENS:].tolist()
        stopped = [self.text in self.tokenizer.decode(row) for row in newest]
        return torch.tensor(stopped, device=input_ids.device)  # type: ignore[return-value]


class StopAtSentence(StoppingCriteria):  # type: ignore[misc]
    """Ends each row by itself when its first sentence is over."""

    def __init__(self, request: GenerationRequest, prompt_tokens: int) -> None:
        """`prompt_tokens` is the length of `input_ids` before the first new token."""
        self.request = request
        self.prompt_tokens = prompt_tokens

    def __call__(
        self, input_ids: torch.LongTensor, scores: torch.FloatTensor, **_: Any
    ) -> torch.BoolTensor:
        opened, tags = self.request.opens_reasoning, self.request.reasoning_tags
        rows = input_ids[:, self.prompt_tokens :].tolist()
        texts = [decode_text(self.request.tokenizer, row, tags) for row in rows]
        return torch.tensor(
            [first_sentence_complete(text, opened) for text in texts], device=input_ids.device
        )  # type: ignore[return-value]


@torch.inference_mode()
def generate(
    model: Any,
    request: GenerationRequest,
    attention_mask: torch.Tensor,
    **prompt: torch.Tensor,
) -> torch.Tensor:
    """Return new token ids (B, at most max_new_tokens), `pad_id` after a row's end.

    `prompt` holds `inputs_embeds` (B, T, D) or `input_ids` (B, T) and whatever else the model
    takes, padded in front where `attention_mask` (B, T) is 0. Raises `torch.OutOfMemoryError`.
    """
    settings = request.settings
    # With inputs_embeds alone, `generate` returns the new ids without the prompt.
    prompt_tokens = prompt["input_ids"].shape[1] if "input_ids" in prompt else 0
    processors = LogitsProcessorList()
    if settings.temperature > 0:
        processors.append(
            GumbelSampler(
                record_ids=request.record_ids,
                seed=settings.seed,
                temperature=settings.temperature,
                top_p=settings.top_p,
                prompt_tokens=prompt_tokens,
                device=attention_mask.device,
                family_name=request.family_name,
            )
        )
    stopping = StoppingCriteriaList()
    if request.stop_text is not None:
        stopping.append(StopAtText(request.stop_text, request.tokenizer, prompt_tokens))
    if settings.stop_at_sentence:
        stopping.append(StopAtSentence(request, prompt_tokens))
    ids: torch.Tensor = model.generate(
        **prompt,
        attention_mask=attention_mask,
        max_new_tokens=settings.max_new_tokens,
        min_new_tokens=settings.min_new_tokens or None,
        no_repeat_ngram_size=settings.no_repeat_ngram or None,
        do_sample=False,
        num_beams=1,
        eos_token_id=list(request.stop_ids),
        pad_token_id=request.pad_id,
        logits_processor=processors,
        stopping_criteria=stopping,
        use_cache=True,
    )
    return ids[:, prompt_tokens:]


def to_captions(ids: torch.Tensor, tokenizer: Any, request: GenerationRequest) -> list[Caption]:
    """Return the caption of each row of new token ids (B, T), cut at its stop token or text."""
    rows: list[list[int]] = ids.tolist()
    if request.settings.stop_at_sentence:
        for row in rows:  # a row that its sentence ended has no stop token before its padding
            while row and row[-1] == request.pad_id:
                row.pop()
    return [to_caption(row, tokenizer, request) for row in rows]


def to_caption(row: Sequence[int], tokenizer: Any, request: GenerationRequest) -> Caption:
    """Return the caption of one row of new token ids, cut at its stop token or stop text."""
    end = next((index for index, token in enumerate(row) if token in request.stop_ids), len(row))
    text = decode_text(tokenizer, row[:end], request.reasoning_tags)
    stop = request.stop_text
    if stop is None or stop not in text:
        over = end < len(row) or (
            request.settings.stop_at_sentence
            and first_sentence_complete(text, request.opens_reasoning)
        )
        return Caption(text, end, "stop" if over else "length")
    # The token that completes the stop text is not part of the caption.
    tokens = end - 1
    while tokens and stop in tokenizer.decode(row[:tokens], skip_special_tokens=True):
        tokens -= 1
    return Caption(text.split(stop, 1)[0], tokens, "stop")
