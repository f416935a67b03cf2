"""Qwen-VL's tokenizer with a small vocabulary; the real one is compared in `tests/golden`."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.captioners.base import CheckpointError
from engine.captioners.families.qwen_tokenizer import SPECIAL_TOKENS, QwenTokenizer

BYTES = [bytes([value]) for value in range(256)]
MERGED = [b"ca", b"at", b"cat", b" cat", "é".encode()]


def vocabulary(tokens: list[bytes], first_rank: int = 0) -> bytes:
    """Return the content of a `qwen.tiktoken` file in which these tokens are ranked in order."""
    ranked = enumerate(tokens, start=first_rank)
    return b"".join(base64.b64encode(token) + b" %d\n" % rank for rank, token in ranked)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> QwenTokenizer:
    path = tmp_path_factory.mktemp("qwen") / "qwen.tiktoken"
    path.write_bytes(vocabulary(BYTES + MERGED))
    return QwenTokenizer(path.parent)


def test_the_lowest_rank_is_merged_first(tokenizer: QwenTokenizer) -> None:
    """`ca` comes before `at`, so that `cat` is reached through `ca` + `t` and never `c` + `at`."""
    assert tokenizer.encode("cat") == [258]
    assert tokenizer.encode("xat") == [ord("x"), 257]
    assert tokenizer.encode("a cat") == [ord("a"), 259]


def test_special_tokens_in_a_text_are_their_own_ids(tokenizer: QwenTokenizer) -> None:
    first = len(BYTES + MERGED)
    assert tokenizer.special["<|endoftext|>"] == first
    assert tokenizer.special["<imgpad>"] == len(tokenizer) - 1 == first + len(SPECIAL_TOKENS) - 1
    assert tokenizer.encode("<img>cat") == [tokenizer.special["<img>"], 258]


def test_a_letter_and_its_accent_are_one_character(tokenizer: QwenTokenizer) -> None:
    assert tokenizer.encode("e\u0301") == tokenizer.encode("é") == [260]


@pytest.mark.parametrize(
    ("ids", "skip_special_tokens", "text"),
    [
        ([258, 0xC3], False, "cat\ufffd"),
        ([0xC3, 0xA9], False, "é"),
        ([258, 261], False, "cat<|endoftext|>"),
        ([258, 261], True, "cat"),
        ([-1, 258, 100_000], False, "cat"),
    ],
)
def test_decoding(
    tokenizer: QwenTokenizer, ids: list[int], skip_special_tokens: bool, text: str
) -> None:
    assert tokenizer.decode(ids, skip_special_tokens) == text


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_text_comes_back_in_its_composed_form(tokenizer: QwenTokenizer, text: str) -> None:
    import unicodedata

    assert tokenizer.decode(tokenizer.encode(text)) == unicodedata.normalize("NFC", text)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "is not a tiktoken vocabulary: .*No such file"),
        (b"", "is cut short: its ranks are not 0 to 0"),
        (b"YQ==\n", "is not a tiktoken vocabulary"),
        (b"YQ== one\n", "is not a tiktoken vocabulary"),
        (b"!a 0\n", "is not a tiktoken vocabulary"),
        (vocabulary(BYTES, first_rank=1), "is cut short: its ranks are not 0 to 256"),
        (vocabulary([*BYTES, b"a"]), "is cut short: its ranks are not 0 to 256"),
        (vocabulary(BYTES[:-1]), "is not a tiktoken vocabulary: it lacks single bytes"),
    ],
)
def test_a_bad_file_is_refused(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "qwen.tiktoken"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CheckpointError, match=message):
        QwenTokenizer(path)
