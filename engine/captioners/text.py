"""Llama tokenizers, and prompts cut where the image goes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer, LlamaTokenizer, LlamaTokenizerFast

from engine.captioners.base import CheckpointError

AS_LLAMA = ("config.json", "tokenizer_config.json")


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer of a folder: `tokenizer.json`, or `tokenizer.model` of Llama alone.

    Raises `CheckpointError`.
    """
    try:
        if names_its_class(folder):
            return AutoTokenizer.from_pretrained(folder, local_files_only=True)
        if (folder / "tokenizer.json").is_file():
            from transformers import PreTrainedTokenizerFast

            return PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
        return LlamaTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:
        raise CheckpointError(f"the tokenizer in {folder} cannot be read: {error}") from error


def names_its_class(folder: Path) -> bool:
    try:
        return "tokenizer_class" in json.loads((folder / "tokenizer_config.json").read_text())
    except (OSError, ValueError):
        return False


def encode(tokenizer: Any, chunk: str) -> list[int]:
    """As the slow Llama tokenizer of transformers 4.31: the fast one swallows a blank in front."""
    is_llama = isinstance(tokenizer, LlamaTokenizer | LlamaTokenizerFast)
    padded = f" {chunk}" if is_llama and chunk.startswith(" ") else chunk
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
