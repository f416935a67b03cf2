"""Llama tokenizers, and prompts cut where the image goes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from transformers import LlamaTokenizer, LlamaTokenizerFast, PreTrainedTokenizerFast

from engine.captioners.base import CheckpointError


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer of a folder: `tokenizer.json`, or `tokenizer.model` of Llama alone.

    Not `AutoTokenizer`, which reads the model's config.json first. Raises `CheckpointError`.
    """
    has_json = (folder / "tokenizer.json").is_file()
    kind = PreTrainedTokenizerFast if has_json and not is_llama(folder) else LlamaTokenizer
    try:
        return kind.from_pretrained(folder, local_files_only=True)
    except Exception as error:
        raise CheckpointError(f"the tokenizer in {folder} cannot be read: {error}") from error


def is_llama(folder: Path) -> bool:
    try:
        told = json.loads((folder / "tokenizer_config.json").read_text())
        return str(told["tokenizer_class"]).startswith("Llama")
    except (OSError, ValueError, KeyError, TypeError):
        return False


def encode(tokenizer: Any, chunk: str) -> list[int]:
    """As the slow Llama tokenizer of transformers 4.31: the fast one swallows a blank in front."""
    swallows = isinstance(tokenizer, LlamaTokenizer | LlamaTokenizerFast)
    padded = f" {chunk}" if swallows and chunk.startswith(" ") else chunk
    ids: list[int] = tokenizer(padded, add_special_tokens=False).input_ids
    return ids


def around_image(tokenizer: Any, prompt: str, placeholder: str) -> tuple[list[int], list[int]]:
    """Ids before and after the image, each side by itself, BOS at the very front.

    Raises `CheckpointError`.
    """
    before, found, after = prompt.partition(placeholder)
    if not found or placeholder in after:
        raise CheckpointError(f"the prompt must hold {placeholder} once: {prompt!r}")
    return [tokenizer.bos_token_id, *encode(tokenizer, before)], encode(tokenizer, after)


def one_id(value: int | list[int]) -> list[int]:
    return value if isinstance(value, list) else [value]
