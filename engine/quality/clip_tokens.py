"""How many tokens CLIP makes of a caption, of which it reads 77.

The merges are those of OpenAI's CLIP (`clip/bpe_simple_vocab_16e6.txt.gz` of
https://github.com/openai/CLIP, MIT licence, Copyright (c) 2021 OpenAI): the 48,894 that its
tokenizer uses of that file. Cleaning is that of transformers' `CLIPTokenizer`; open_clip mends
broken encodings (ftfy) before it, which changes hardly any caption's length.
"""

from __future__ import annotations

import gzip
import re
from functools import cache, lru_cache
from importlib.resources import files
from itertools import chain

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

CONTEXT = 77
"""Tokens that CLIP reads, with the two that mark start and end (Radford et al. 2021, 2.4)."""
MARKS = 2
"""Tokens that mark start and end."""
WORD = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d|[a-z]+|[0-9]|[^\sa-z0-9]+")
"""The pieces of an ASCII text in lower case that CLIP turns into tokens one by one."""
UNICODE_WORD = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


@cache
def tokenizer() -> Tokenizer:
    """Return CLIP's tokenizer, without the tokens that mark start and end."""
    data = files("engine.quality").joinpath("clip_merges.txt.gz").read_bytes()
    merges = [
        (first, second)
        for first, second in map(str.split, gzip.decompress(data).decode().splitlines())
    ]
    characters = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = chain(characters, (f"{each}</w>" for each in characters), (a + b for a, b in merges))
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
    clip = Tokenizer(models.BPE(vocabulary, merges, end_of_word_suffix="</w>"))
    clip.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    clip.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(UNICODE_WORD), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    return clip


def count_tokens(text: str) -> int:
    """Return the number of CLIP's tokens of a text, with those that mark start and end."""
    if not text.isascii():
        return len(tokenizer().encode(text.encode(errors="replace").decode()).ids) + MARKS
    return sum(map(tokens_of_word, WORD.findall(text.lower()))) + MARKS


@lru_cache(maxsize=1 << 16)
def tokens_of_word(word: str) -> int:
    return len(tokenizer().encode(word).ids)


def is_beyond_clip(text: str) -> bool:
    """Return True if CLIP does not read the end of a text."""
    # A token is a byte at least.
    return len(text.encode(errors="replace")) > CONTEXT - MARKS and count_tokens(text) > CONTEXT
