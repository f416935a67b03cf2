"""Generating from spliced embeddings: text, image features, text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import LogitsProcessorList

from engine.captioners.base import Caption
from engine.captioners.registry import Settings
from engine.captioners.sampling import GumbelSampler


def choose_dtype(name: str, device: str) -> torch.dtype:
    if name != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[
            name
        ]
    return torch.float32 if device == "cpu" else torch.bfloat16


def splice(before: torch.Tensor, features: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
    """(b, D) and (a, D) around (B, n, D) gives (B, b + n + a, D)."""
    rows = features.shape[0]
    return torch.cat([before.expand(rows, -1, -1), features, after.expand(rows, -1, -1)], dim=1)


@torch.inference_mode()
def generate(
    model: Any,
    embeddings: torch.Tensor,
    settings: Settings,
    records: Sequence[int],
    stop_ids: Sequence[int],
    pad_id: int,
) -> torch.Tensor:
    """New token ids, (B, at most max_new_tokens); all rows are equally long, nothing is masked."""
    processors = LogitsProcessorList()
    if settings.temperature > 0:
        processors.append(
            GumbelSampler(
                records, settings.seed, settings.temperature, settings.top_p, 0, embeddings.device
            )
        )
    ids: torch.Tensor = model.generate(
        inputs_embeds=embeddings,
        attention_mask=torch.ones(embeddings.shape[:2], dtype=torch.long, device=embeddings.device),
        max_new_tokens=settings.max_new_tokens,
        min_new_tokens=settings.min_new_tokens or None,
        no_repeat_ngram_size=settings.no_repeat_ngram or None,
        do_sample=False,
        num_beams=1,
        eos_token_id=list(stop_ids),
        pad_token_id=pad_id,
        logits_processor=processors,
        use_cache=True,
    )
    return ids


def to_captions(ids: torch.Tensor, tokenizer: Any, stop_ids: Sequence[int]) -> list[Caption]:
    """Each row up to its first stop token, as text."""
    captions = []
    for row in ids.tolist():
        stop = next((place for place, token in enumerate(row) if token in stop_ids), None)
        kept = row if stop is None else row[:stop]
        text = tokenizer.decode(kept, skip_special_tokens=True)
        captions.append(Caption(text, len(kept), "length" if stop is None else "stop"))
    return captions
