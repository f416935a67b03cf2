"""Prompts as token ids: tokenizers, and prompts that are split where the image goes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import LlamaTokenizer, LlamaTokenizerFast, PreTrainedTokenizerFast

from engine.captioners.config_files import AGAIN, read_json
from engine.captioners.errors import CheckpointError, first_line


def load_tokenizer(folder: Path) -> Any:
    """Return the tokenizer in `tokenizer.json` or, for Llama, in `tokenizer.model`.

    Raises `CheckpointError`.
    """
    # AutoTokenizer would read the model's config.json first, which the folder may not have.
    has_json = (folder / "tokenizer.json").is_file()
    kind = (
        PreTrainedTokenizerFast if has_json and not is_llama_tokenizer(folder) else LlamaTokenizer
    )
    try:
        return kind.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:
        raise CheckpointError(
            f"the tokenizer in {folder} cannot be read: {first_line(error)}"
        ) from error


def is_llama_tokenizer(folder: Path) -> bool:
    """Return True if tokenizer_config.json names a class of Llama."""
    try:
        config = read_json(folder / "tokenizer_config.json")
    except CheckpointError:
        return False
    return str(config.get("tokenizer_class")).startswith("Llama")


def encode(tokenizer: Any, chunk: str, added: Sequence[str] = ()) -> list[int]:
    """Return the token ids of a part of a prompt, without special tokens around it.

    They are those of the slow Llama tokenizer of transformers 4.31. `added` are special tokens that
    the model added to Llama's.
    """
    if not isinstance(tokenizer, LlamaTokenizer | LlamaTokenizerFast):
        return encode_text(tokenizer, chunk)
    # The slow one begins anew behind a special token within the text, such as "<s>".
    tokens = (tokenizer.bos_token, tokenizer.eos_token, *added)
    special = {token: tokenizer.convert_tokens_to_ids(token) for token in filter(None, tokens)}
    ids: list[int] = []
    for piece in re.split(f"({'|'.join(map(re.escape, special))})", chunk):
        if piece in special:
            ids.append(special[piece])
        elif piece:
            # The fast tokenizer drops a space at the beginning, so it gets one more.
            ids += encode_text(tokenizer, f" {piece}" if piece.startswith(" ") else piece)
    return ids


def encode_text(tokenizer: Any, text: str) -> list[int]:
    """Return the token ids of a text as the tokenizer has them, without special tokens."""
    ids: list[int] = tokenizer(text, add_special_tokens=False).input_ids
    return ids


def encode_around_image(
    tokenizer: Any, prompt: str, placeholder: str
) -> tuple[list[int], list[int]]:
    """Return the token ids before and after the image, with BOS at the front.

    Both sides are encoded on their own, as the official code does. Raises `CheckpointError` if the
    placeholder is not in the prompt exactly once.
    """
    before, separator, after = prompt.partition(placeholder)
    if not separator or placeholder in after:
        raise CheckpointError(f"the prompt must hold {placeholder} once: {prompt!r}")
    return [tokenizer.bos_token_id, *encode(tokenizer, before)], encode(tokenizer, after)


def as_id_list(value: int | list[int]) -> list[int]:
    """Return one token id or several as a list, as configs have either.

    Raises `CheckpointError` for anything else.
    """
    ids = value if isinstance(value, list) else [value]
    if not ids or not all(isinstance(it, int) for it in ids):
        raise CheckpointError(
            f"the end of an answer (eos_token_id) is {value!r}, which is no token's number: {AGAIN}"
        )
    return ids
