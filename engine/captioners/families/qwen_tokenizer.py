"""Qwen-VL's tokenizer on its `qwen.tiktoken`: byte pair encoding by rank (Qwen/Qwen-VL,
`tokenization_qwen.py`)."""

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

WORDS = regex.compile(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""Where a text is cut before bytes are merged; the specification of the vocabulary."""
END_OF_TEXT = "<|endoftext|>"
SPECIAL = (
    END_OF_TEXT,
    "<|im_start|>",
    "<|im_end|>",
    *(f"<|extra_{number}|>" for number in range(205)),
    *("<ref>", "</ref>", "<box>", "</box>", "<quad>", "</quad>", "<img>", "</img>", "<imgpad>"),
)
"""In the order of their ids, which follow the ranks."""


class QwenTokenizer:
    def __init__(self, path: Path) -> None:
        """Reads a `qwen.tiktoken`, or that of a folder. Raises `CheckpointError`."""
        path = path / "qwen.tiktoken" if path.is_dir() else path
        try:
            lines = [line.split() for line in path.read_bytes().splitlines() if line.strip()]
            self.ranks = {base64.b64decode(token): int(rank) for token, rank in lines}
        except (OSError, ValueError, binascii.Error) as error:
            raise CheckpointError(f"{path} is no tiktoken vocabulary: {error}") from error
        if sorted(self.ranks.values()) != list(range(len(self.ranks))):
            raise CheckpointError(f"{path} is cut short: its ranks are not 0 to {len(self.ranks)}")
        self.tokens = {rank: token for token, rank in self.ranks.items()}
        self.special = {name: len(self.ranks) + place for place, name in enumerate(SPECIAL)}
        self.cutter = regex.compile("(" + "|".join(map(regex.escape, SPECIAL)) + ")")
        self.merged = lru_cache(maxsize=65536)(self.merge)

    def __len__(self) -> int:
        return len(self.ranks) + len(self.special)

    def encode(self, text: str) -> list[int]:
        """Special tokens in the text become their ids."""
        ids: list[int] = []
        for part in self.cutter.split(unicodedata.normalize("NFC", text)):
            if part in self.special:
                ids.append(self.special[part])
            else:
                for word in WORDS.findall(part):
                    ids.extend(self.merged(word.encode()))
        return ids

    def merge(self, word: bytes) -> tuple[int, ...]:
        """Joins the neighbours of the lowest rank until no two make a token."""
        pieces = [word[place : place + 1] for place in range(len(word))]
        while len(pieces) > 1:
            joined = [self.ranks.get(a + b) for a, b in pairwise(pieces)]
            known = [rank for rank in joined if rank is not None]
            if not known:
                break
            at = joined.index(min(known))
            pieces[at : at + 2] = [pieces[at] + pieces[at + 1]]
        return tuple(self.ranks[piece] for piece in pieces)

    def decode(self, ids: Iterable[int], skip_special_tokens: bool = False) -> str:
        """Bytes that are no UTF-8 become U+FFFD."""
        return b"".join(self.pieces(ids, skip_special_tokens)).decode("utf-8", "replace")

    def pieces(self, ids: Iterable[int], skip_special: bool) -> Iterator[bytes]:
        for number in ids:
            if number in self.tokens:
                yield self.tokens[number]
            elif not skip_special and 0 <= number - len(self.tokens) < len(SPECIAL):
                yield SPECIAL[number - len(self.tokens)].encode()
