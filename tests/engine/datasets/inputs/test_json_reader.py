"""The JSON readers, compared with the `json` module on good and damaged files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies._internal.core import DataObject

from engine.datasets.inputs import json_reader
from engine.datasets.inputs.json_reader import read_records
from engine.utils.errors import BadInput

TEXT = st.text(st.characters(codec=None), max_size=30)
EXTRA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
RECORDS = st.lists(
    st.builds(
        lambda extra, image, caption: extra | {"image": image, "caption": caption},
        st.dictionaries(TEXT, EXTRA, max_size=3),
        st.text(st.characters(codec=None), min_size=1, max_size=30),
        TEXT,
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=100)
@given(RECORDS, st.sampled_from([None, 1, "\t"]), st.booleans(), st.integers(1, 40))
def test_an_array_is_read_as_json_load_reads_it(
    tmp_path_factory: pytest.TempPathFactory,
    records: list[Any],
    indent: int | str | None,
    ascii: bool,
    size: int,
) -> None:
    path = tmp_path_factory.mktemp("array") / "captions.json"
    text = json.dumps(records, indent=indent, ensure_ascii=ascii or has_surrogates(records))
    path.write_bytes(text.encode())
    json_reader.READ_BYTES, before = size, json_reader.READ_BYTES
    try:
        read = list(read_records(path))
    finally:
        json_reader.READ_BYTES = before
    assert [json.loads(record.line) for record in read] == records
    assert all(b"\n" not in record.line for record in read)
    assert [(r.image, r.caption) for r in read] == [(r["image"], r["caption"]) for r in records]


def has_surrogates(records: list[Any]) -> bool:
    try:
        json.dumps(records, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


@settings(max_examples=100)
@given(RECORDS, st.integers(1, 40), st.sampled_from(["\n", "\r\n", "\n\n  "]))
def test_json_lines_are_read_alike(
    tmp_path_factory: pytest.TempPathFactory, records: list[Any], size: int, newline: str
) -> None:
    path = tmp_path_factory.mktemp("lines") / "captions.jsonl"
    path.write_bytes(newline.join(map(json.dumps, records)).encode())
    json_reader.READ_BYTES, before = size, json_reader.READ_BYTES
    try:
        read = list(read_records(path))
    finally:
        json_reader.READ_BYTES = before
    assert [json.loads(record.line) for record in read] == records


@settings(max_examples=120)
@given(RECORDS, st.data())
def test_a_damaged_file_is_bad_input_or_read_as_json_reads_it(
    tmp_path_factory: pytest.TempPathFactory, records: list[Any], data: DataObject
) -> None:
    whole = json.dumps(records, ensure_ascii=True).encode()
    offset = data.draw(st.integers(0, len(whole) - 1))
    mutation = data.draw(st.sampled_from(["cut", "flip", "drop", "insert"]))
    byte = bytes([data.draw(st.integers(0, 255))])
    damaged = {
        "cut": whole[:offset],
        "flip": whole[:offset] + byte + whole[offset + 1 :],
        "drop": whole[:offset] + whole[offset + 1 :],
        "insert": whole[:offset] + byte + whole[offset:],
    }[mutation]
    path = tmp_path_factory.mktemp("damaged") / "captions.json"
    path.write_bytes(damaged)
    try:
        values = [json.loads(record.line) for record in read_records(path)]
    except BadInput as error:
        assert str(path) in str(error)
    else:
        for value, meant in zip(values, parsed_by_json(damaged), strict=True):
            assert {key: value[key] for key in meant} == meant
            # A key such as `caption0`, which damage can make, is read as the caption as well.
            assert value.keys() - meant.keys() <= {"image", "caption"}


def parsed_by_json(data: bytes) -> list[Any]:
    """Return the values of a JSON array or JSON Lines, as the `json` module parses them."""
    text = data.decode()
    if text.lstrip(" \t\r\n").startswith("["):
        return json.loads(text)
    return [json.loads(line) for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"hello", "neither a JSON array"),
        (b'"text"', "neither a JSON array"),
        (b"", "is empty"),
        (b"[]", "the array is empty"),
        (b"[1]", "record 0: not an"),
        (b'{"a": 1}', "record 0: no 'image'"),
        (b'[{"caption": "x"}]', "record 0: no 'image'"),
        (b'[{"image": "a"}, {"image": 7}]', "record 1: 'image' must be a path, not 7"),
        (b'{"image": {"0": "a"}, "caption": {"0": "b"}}', "'image' holds a whole column"),
        (b'{"image": "a", "caption": "b\n"}', r"not JSON: Invalid control character \(at byte 28"),
        (b'[{"image": ""}]', "must be a path"),
        (b'[{"image": "a", "caption": [7]}]', "'caption' must be text, not 7"),
        (b'[{"image": "a"},', "cut short"),
        (b'[{"image": "a"}', "cut short after record 0"),
        (b'[{"image": "a"', "not JSON"),
        (b'[{"image": "a"} {"image": "b"}]', "a comma is missing after record 0"),
        (b'[{"image": "a"}] more', "something follows the array"),
        (b'[{"image": "\xff"}]', "not UTF-8 at byte 12"),
        ('[{"image": "a"}]'.encode("utf-16"), "not UTF-8 at byte 0"),
        (b'{"image": "a"}{"image": "b"}', "is not followed by the end of its line"),
        (b"[" * 100_000, "nested too deeply"),
        (b'[{"image": "a", "x": ' + b"[" * 100_000, "nested too deeply"),
        (b'[{"image": "a", "x": ' + b"1" * 5000 + b"}]", "cannot be read"),
        (b'[{"image": "a\nb"}]', "not JSON"),
    ],
)
def test_bad_input_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "captions.json"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=message):
        list(read_records(path))


def test_a_byte_order_mark_and_missing_captions_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "captions.json"
    path.write_bytes(b'\xef\xbb\xbf [{"image": "a", "caption": null}, {"image": "b"}]\n')
    assert [(r.image, r.caption) for r in read_records(path)] == [("a", ""), ("b", "")]


def test_the_position_of_an_error_counts_bytes_not_characters(tmp_path: Path) -> None:
    path = tmp_path / "captions.json"
    path.write_text('[{"image": "猫猫", "caption": "é"}, x]')
    offset = path.read_bytes().index(b", x]") + 2
    with pytest.raises(BadInput, match=rf"at byte {offset}\)"):
        list(read_records(path))
