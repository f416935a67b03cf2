"""Sheared files: what they hold, how they are named, and which of them are stale."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.project.log_rows import LogContents
from engine.project.sheared_file import (
    read_sheared,
    replace_sheared,
    shear_texts,
    sheared_captions,
    sheared_path,
    write_sheared,
)
from engine.protocol.caption_row import CaptionRow
from engine.shearing.shear import Shearing
from engine.utils import jsonlines

SENTENCE = Shearing("sentence")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "00007.jsonl"


def test_the_last_caption_of_a_record_counts_and_a_missing_one_is_none() -> None:
    texts = [(2, "old. x", "stop"), (0, "a dog. x", "stop"), (2, "new. x", "length")]
    assert shear_texts(texts, 3, "llava-1.5", Shearing()) == ["a dog", None, "new"]


def test_captions_of_a_log_are_sheared() -> None:
    rows = {1: CaptionRow(1, "a dog. It", 4, "length")}
    contents = LogContents(captions=rows)
    assert sheared_captions(contents, 2, "otter", SENTENCE) == [None, "a dog."]


def test_the_name_depends_on_shearing_and_digest(log: Path) -> None:
    paths = {
        sheared_path(log, shearing, digest)
        for shearing in (Shearing(), SENTENCE, Shearing(max_words=9))
        for digest in ("one", "two")
    }
    assert len(paths) == 6
    assert all(path.match("00007.sheared-????????????.jsonl") for path in paths)
    assert all(path.parent == log.parent for path in paths)


def test_stale_files_of_the_same_log_are_removed(log: Path) -> None:
    current, stale = sheared_path(log, SENTENCE, "new"), sheared_path(log, SENTENCE, "old")
    others = [log, log.with_name("00008.sheared-0.jsonl"), log.with_name("000071.sheared-0.jsonl")]
    for path in (stale, *others):
        path.write_text("x")
    replace_sheared(current, ["a", None])
    assert set(log.parent.iterdir()) == {current, *others}


@pytest.mark.parametrize("sync", [True, False])
def test_a_file_has_one_line_per_record(log: Path, sync: bool) -> None:
    captions = ["a dog.", None, "", "two\nlines \u2028 \udce9"]
    path = sheared_path(log, SENTENCE, "d")
    write_sheared(path, captions, sync)
    *lines, last = path.read_bytes().splitlines(keepends=True)
    assert jsonlines.loads_lines(b"".join(lines)) == captions
    assert set(jsonlines.loads(last)) == {"digest"}
    assert read_sheared(path, len(captions)) == b"".join(lines).splitlines()


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data.replace(b"a dog", b"a cat"),
        lambda data: data.replace(b"null", b'"no"'),
        lambda data: data[:-1],
        lambda data: data[: data.rindex(b"{")],
        lambda data: data + b"\n",
        lambda data: data[:5] + b"\0" * 5 + data[10:],
        lambda data: bytes(len(data)),
        lambda data: b"",
    ],
)
def test_a_damaged_file_is_not_read(log: Path, damage: Callable[[bytes], bytes]) -> None:
    path = sheared_path(log, SENTENCE, "d")
    write_sheared(path, ["a dog.", None, "a cow."], sync=False)
    assert read_sheared(path, 3) == [b'"a dog."', b"null", b'"a cow."']
    assert read_sheared(path, 4) is None
    path.write_bytes(damage(path.read_bytes()))
    assert read_sheared(path, 3) is None


def test_another_sheared_file_does_not_pass_for_one(log: Path) -> None:
    path, other = sheared_path(log, SENTENCE, "d"), sheared_path(log, Shearing(), "d")
    write_sheared(other, ["a dog"], sync=False)
    other.rename(path)
    assert read_sheared(path, 1) is None


def test_a_file_stays_if_it_cannot_be_written_again(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = sheared_path(log, SENTENCE, "d")
    replace_sheared(path, ["a dog."])

    def disk_full(captions: object) -> bytes:
        raise OSError("the disk is full")

    monkeypatch.setattr(jsonlines, "dumps_lines", disk_full)
    with pytest.raises(OSError, match="the disk is full"):
        replace_sheared(path, ["a cat."])
    assert read_sheared(path, 1) == [b'"a dog."']
    assert list(log.parent.iterdir()) == [path]
