"""A text that is searched in a log's bytes is found where parsing each line finds it."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.project import log_search
from engine.project.log_search import ALSO_LOWER, SearchedText, find_text, fold
from engine.utils import jsonlines

COUNT = 6
"""Records of the shard."""
LETTERS = [
    "d",
    "O",
    "g",
    " ",
    "k",
    "K",
    "\u212a",
    "i",
    "\u0130",
    "é",
    "É",
    "\u03c3",
    "ς",
    "Σ",
    "狗",
    "犬",
]
LETTERS += ['"', "\\", "/", "\n", "\t", "\x01", "😀", "\ud83d", "3", "stop", ","]
TEXTS = st.lists(st.sampled_from(LETTERS), max_size=6).map("".join)


def spaced(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace")


def escaped(value: object) -> bytes:
    """Write what need not be escaped as escapes, too."""
    return json.dumps(value).replace("g", "\\u0067").replace("/", "\\/").encode()


WRITERS: list[Callable[[object], bytes]] = [jsonlines.dumps, spaced, escaped]


@st.composite
def log_lines(draw: st.DrawFn) -> bytes:
    """Draw one line of a log: a caption, an error, or what is no row at all."""
    i = draw(st.integers(0, COUNT))  # the last one is of no record
    text = draw(TEXTS)
    row: dict[str, object] = {"i": i, "raw": text, "tokens": 3, "finish": "stop"}
    kind = draw(st.sampled_from(["caption", "caption", "caption", "error", "turned", "foreign"]))
    if kind == "error":
        row = {"i": i, "error": "missing", "detail": text}
    elif kind == "turned":
        row = dict(reversed(row.items()))
    elif kind == "foreign":
        return draw(st.sampled_from([b"[]", b"{", b"dog", b'{"i": 1, "raw": 7, "tokens": 1}']))
    return draw(st.sampled_from(WRITERS))(row)


def naive(data: bytes, wanted: str) -> set[int]:
    """Return what parsing each line finds."""
    captions: dict[int, str] = {}
    for line in data.split(b"\n")[:-1]:
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict) and isinstance(row.get("raw"), str) and row["i"] < COUNT:
            captions[row["i"]] = row["raw"]
    return {i for i, raw in captions.items() if fold(wanted) in fold(raw)}


@given(st.lists(log_lines(), max_size=12), TEXTS, st.sampled_from([0.0, 0.5, 1.0]))
def test_a_text_is_found_as_parsing_finds_it(lines: list[bytes], wanted: str, few: float) -> None:
    data = b"".join(line + b"\n" for line in lines)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_search, "FEW", few)
        assert find_text(data, COUNT, SearchedText(wanted)) == naive(data, wanted)


def test_no_other_letter_becomes_one_of_ascii() -> None:
    found: dict[str, set[str]] = {}
    for other in map(chr, range(0x80, 0x110000)):
        for letter in fold(other):
            if letter.isascii():
                found.setdefault(letter, set()).add(other)
    assert found == {letter: {other} for letter, other in ALSO_LOWER.items()}


@pytest.mark.parametrize(
    ("caption", "wanted"),
    [
        ("A Café in ΑΘΉΝΑΣ", "café"),
        ("A Café in ΑΘΉΝΑΣ", "αθήνασ"),
        ('a sign "STOP"', '"stop"'),
        ("a\\b", "a\\b"),
        ("两只狗", "只狗"),
    ],
)
def test_a_caption_is_found_by_a_text(caption: str, wanted: str) -> None:
    data = jsonlines.dumps({"i": 2, "raw": caption, "tokens": 3, "finish": "length"}) + b"\n"
    assert find_text(data, COUNT, SearchedText(wanted)) == {2}
    assert find_text(data, COUNT, SearchedText("length")) == set(), "another field"
