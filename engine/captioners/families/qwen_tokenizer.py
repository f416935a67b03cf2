"""Qwen-VL's tokenizer: byte pair encoding by the ranks of its `qwen.tiktoken` file.

The official one is `tokenization_qwen.py` of Qwen/Qwen-VL, which uses tiktoken as well.
"""

from __future__ import annotations

import base64
import binascii
import unicodedata
from collections.abc import Iterable
from pathlib import Path

import tiktoken

from engine.captioners.base import CheckpointError

WORD_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""Matches the words into which a text is cut before bytes are merged, as the vocabulary's
specification has it."""
END_OF_TEXT = "<|endoftext|>"
"""The special token that ends an answer."""
TURN_START, TURN_END = "<|im_start|>", "<|im_end|>"
"""The special tokens around a turn of a conversation in ChatML."""
SPECIAL_TOKENS = (
    END_OF_TEXT,
    TURN_START,
    TURN_END,
    *(f"<|extra_{number}|>" for number in range(205)),
    *("<ref>", "</ref>", "<box>", "</box>", "<quad>", "</quad>", "<img>", "</img>", "<imgpad>"),
)
"""The special tokens, in the order of their ids, which follow the ranks."""


class QwenTokenizer:
    """Qwen-VL's tokenizer: text to token ids and back.

    A token's rank, its position in the order of merging, is its id.
    """

    def __init__(self, path: Path) -> None:
        """Read a `qwen.tiktoken` file, or that of a folder. Raises `CheckpointError`."""
        path = path / "qwen.tiktoken" if path.is_dir() else path
        ranks = read_ranks(path)
        self.rank_count = len(ranks)
        self.special = {token: len(ranks) + index for index, token in enumerate(SPECIAL_TOKENS)}
        """The ids of the special tokens."""
        self.encoding = tiktoken.Encoding(
            "qwen", pat_str=WORD_PATTERN, mergeable_ranks=ranks, special_tokens=self.special
        )

    def __len__(self) -> int:
        return self.rank_count + len(self.special)

    def encode(self, text: str) -> list[int]:
        """Return the token ids of a text; special tokens in the text become their own ids."""
        return self.encoding.encode(unicodedata.normalize("NFC", text), allowed_special="all")

    def decode(self, ids: Iterable[int], skip_special_tokens: bool = False) -> str:
        """Return the text of token ids; bytes that are no UTF-8 become U+FFFD.

        Ids beyond the vocabulary are left out.
        """
        end = self.rank_count if skip_special_tokens else len(self)
        return self.encoding.decode([token_id for token_id in ids if 0 <= token_id < end])


def read_ranks(path: Path) -> dict[bytes, int]:
    """Return the ranks of the byte strings in a `qwen.tiktoken` file. Raises `CheckpointError`."""
    # tiktoken's own reader checks nothing, and downloads what looks like an address.
    try:
        lines = [line.split() for line in path.read_bytes().splitlines() if line.strip()]
        ranks = {base64.b64decode(token): int(rank) for token, rank in lines}
    except (OSError, ValueError, binascii.Error) as error:
        raise CheckpointError(f"{path} is not a tiktoken vocabulary: {error}") from error
    if not ranks or sorted(ranks.values()) != list(range(len(ranks))):
        raise CheckpointError(f"{path} is cut short: its ranks are not 0 to {len(ranks)}")
    # Without one of them tiktoken panics at a text that has it, which would end the worker.
    if any(bytes([value]) not in ranks for value in range(256)):
        raise CheckpointError(f"{path} is not a tiktoken vocabulary: it lacks single bytes")
    return ranks
