"""The number of CLIP's tokens of a text."""

from __future__ import annotations

import gzip
from importlib.resources import files

import pytest
from transformers import CLIPTokenizer

from engine.quality.clip_tokens import CONTEXT, count_tokens, is_beyond_clip, tokenizer
from tests.engine.quality import caption_cases as cases

TEXTS = (*cases.GOOD, *cases.REFUSALS, *cases.LEAD_INS, *cases.OTHER_LANGUAGES)


@pytest.fixture(scope="module")
def theirs() -> CLIPTokenizer:
    """The tokenizer of transformers, with the same merges."""
    data = files("engine.quality").joinpath("clip_merges.txt.gz").read_bytes()
    merges = [tuple(line.split()) for line in gzip.decompress(data).decode().splitlines()]
    vocabulary = tokenizer().get_vocab()
    for token in ("<|startoftext|>", "<|endoftext|>"):
        vocabulary[token] = len(vocabulary)
    return CLIPTokenizer(vocab=vocabulary, merges=merges)


def test_the_count_is_that_of_transformers(theirs: CLIPTokenizer) -> None:
    counts = {text: count_tokens(text) for text in TEXTS}
    assert counts == {text: len(theirs(text).input_ids) for text in TEXTS}


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 2),
        ("a photo of a cat", 7),
        ("it's a dog's life, 1234 times!!!", 15),
        ("antidisestablishmentarianism", 8),
        ("Crème brûlée on a plate", 13),
        ("一只狗在草地上", 18),
        ("Собака бежит по траве", 24),
    ],
)
def test_the_count_is_that_of_open_clip(text: str, tokens: int) -> None:
    """The numbers are those of open_clip's `SimpleTokenizer` (3.3.0)."""
    assert count_tokens(text) == tokens


def test_the_last_token_that_fits() -> None:
    fits = "cat " * (CONTEXT - 2)
    assert not is_beyond_clip(fits)
    assert is_beyond_clip(f"{fits} cat")


def test_a_lone_surrogate_is_counted() -> None:
    assert count_tokens("a \ud800 cat") > 2
