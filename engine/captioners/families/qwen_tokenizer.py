"""Qwen-VL's tokenizer: byte pair encoding by the ranks of its `qwen.tiktoken` file.

The official one is `tokenization_qwen.py` of Qwen/Qwen-VL.
"""

from __future__ import annotations

import base64
import binascii
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import regex

from engine.captioners.base import CheckpointError

WORD_PATTERN = regex.compile(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""Matches the words into which a text is cut before bytes are merged, as the vocabulary's
specification has it."""
END_OF_TEXT = "<|endoftext|>"
"""The special token that ends an answer."""
SPECIAL_TOKENS = (
    END_OF_TEXT,
    "<|im_start|>",
    "<|im_end|>",
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
        try:
            lines = [line.split() for line in path.read_bytes().splitlines() if line.strip()]
            self.ranks = {base64.b64decode(token): int(rank) for token, rank in lines}
        except (OSError, ValueError, binascii.Error) as error:
            raise CheckpointError(f"{path} is no tiktoken vocabulary: {error}") from error
        if sorted(self.ranks.values()) != list(range(len(self.ranks))):
            raise CheckpointError(f"{path} is cut short: its ranks are not 0 to {len(self.ranks)}")
        self.tokens = {rank: token for token, rank in self.ranks.items()}
        self.special = {
            token: len(self.ranks) + index for index, token in enumerate(SPECIAL_TOKENS)
        }
        """The ids of the special tokens."""
        self.special_pattern = regex.compile(
            "(" + "|".join(map(regex.escape, SPECIAL_TOKENS)) + ")"
        )
        self.cached_merge = lru_cache(maxsize=65536)(self.merge)

    def __len__(self) -> int:
        return len(self.ranks) + len(self.special)

    def encode(self, text: str) -> list[int]:
        """Return the token ids of a text; special tokens in the text become their own ids."""
        ids: list[int] = []
        for part in self.special_pattern.split(unicodedata.normalize("NFC", text)):
            if part in self.special:
                ids.append(self.special[part])
            else:
                for word in WORD_PATTERN.findall(part):
                    ids.extend(self.cached_merge(word.encode()))
        return ids

    def merge(self, word: bytes) -> tuple[int, ...]:
        """Join the two neighbours whose token has the lowest rank, until no two make a token.

        Return the ids of the pieces.
        """
        pieces = [word[index : index + 1] for index in range(len(word))]
        while len(pieces) > 1:
            ranks = [self.ranks.get(left + right) for left, right in pairwise(pieces)]
            known = [rank for rank in ranks if rank is not None]
            if not known:
                break
            index = ranks.index(min(known))
            pieces[index : index + 2] = [pieces[index] + pieces[index + 1]]
        return tuple(self.ranks[piece] for piece in pieces)

    def decode(self, ids: Iterable[int], skip_special_tokens: bool = False) -> str:
        """Return the text of token ids; bytes that are no UTF-8 become U+FFFD."""
        return b"".join(self.pieces(ids, skip_special_tokens)).decode("utf-8", "replace")

    def pieces(self, ids: Iterable[int], skip_special_tokens: bool) -> Iterator[bytes]:
        """Yield the bytes of each token id; ids beyond the vocabulary yield nothing."""
        for token_id in ids:
            if token_id in self.tokens:
                yield self.tokens[token_id]
            elif not skip_special_tokens and 0 <= token_id - len(self.tokens) < len(SPECIAL_TOKENS):
                yield SPECIAL_TOKENS[token_id - len(self.tokens)].encode()
