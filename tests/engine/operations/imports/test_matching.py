"""Keys of image paths, the index of records, and the choice among captions of one image."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.images.image import ImagePaths
from engine.operations.imports.caption_spool import CaptionSpool, row_line, row_lines
from engine.operations.imports.image_keys import (
    NO_KEY,
    KeysJob,
    image_keys,
    read_images,
    read_keys,
    split_keys,
)
from engine.operations.imports.record_index import NOT_FOUND, Chooser, RecordIndex, hash_keys
from engine.project import log_rows

ROOT = ImagePaths("/data/cc3m")


@pytest.mark.parametrize(
    ("image", "key"),
    [
        ("a/1.jpg", "a/1.jpg"),
        ("/data/cc3m/a/1.jpg", "a/1.jpg"),
        ("/data/cc3m//a/./1.jpg", "a/1.jpg"),
        ("//data/cc3m/a/1.jpg", "a/1.jpg"),
        ("a/../a/1.jpg", "a/1.jpg"),
        ("../cc3m/a/1.jpg", "a/1.jpg"),
        ("../other/1.jpg", "/data/other/1.jpg"),
        ("/data/cc3minor/1.jpg", "/data/cc3minor/1.jpg"),
        (".hidden/1.jpg", ".hidden/1.jpg"),
        ("a\nb/1.jpg", "a\nb/1.jpg"),
    ],
)
def test_the_key_of_an_image(image: str, key: str) -> None:
    assert image_keys([image], ROOT) == [key]
    assert image_keys(["x.jpg", image, "//y.jpg"], ROOT) == ["x.jpg", key, "/y.jpg"]


def test_the_first_pair_of_a_path_map_that_fits_counts() -> None:
    one, two = (("/mnt/", "")), (("/mnt/x/", "y/"))
    assert image_keys(["/mnt/x/1.jpg", "z"], ROOT, [one]) == ["x/1.jpg", "z"]
    assert image_keys(["/mnt/x/1.jpg", "z"], ROOT, [two, one]) == ["y/1.jpg", "z"]


PATHS = st.text(alphabet="ab/.\n", min_size=1).filter(lambda path: not path.endswith("/"))


@given(st.lists(PATHS, min_size=1), st.text(alphabet="ab/\n", min_size=1), PATHS)
def test_paths_have_the_same_keys_together_and_alone(images: list[str], old: str, new: str) -> None:
    alone = [image_keys([image], ROOT, [(old, new), (old, new)])[0] for image in images]
    assert image_keys(images, ROOT, [(old, new)]) == alone


def test_the_keys_of_a_shard(tmp_path: Path) -> None:
    shard = tmp_path / "00000.jsonl"
    images = ["a/1.jpg", "nul\0.jpg", "\ud83d.jpg", "/data/cc3m/ü.jpg"]
    shard.write_bytes(b"".join(json.dumps({"image": each}).encode() + b"\n" for each in images))
    digest = log_rows.digest(shard.read_bytes())
    joined = read_keys(KeysJob(shard, digest, 4, ROOT))
    assert joined is not None
    assert split_keys(joined) == ["a/1.jpg", NO_KEY, "\ud83d.jpg", "ü.jpg"]
    assert read_keys(KeysJob(shard, digest, 5, ROOT)) is None
    assert read_keys(KeysJob(shard, "other", 4, ROOT)) is None
    assert read_keys(KeysJob(tmp_path / "none", digest, 4, ROOT)) is None


def test_images_of_records_with_odd_other_keys() -> None:
    lines = b'{"image":"a","x":"\\ud83d"}\n{"x":{"image":"no"},"image":"b"}\n'
    assert read_images(lines, 2) == ["a", "b"]
    with pytest.raises(ValueError, match="2 records"):
        read_images(b'{"image":"a"}\n', 2)


def test_the_index_finds_the_first_position_of_a_key() -> None:
    keys = ["a", "b", "a", "c", "a"]
    index = RecordIndex([hash_keys(keys[:2]), hash_keys(keys[2:])])
    found = index.find(["c", "x", "a", "b", "a"])
    assert found[1] == NOT_FOUND
    assert found[2] == found[4]
    assert [index.records_at(position) for position in found[[0, 2, 3]]] == [[3], [0, 2, 4], [1]]
    assert index.has_twins[found[[0, 2, 3]]].tolist() == [False, True, False]


@given(st.lists(st.lists(st.integers(0, 4), max_size=8), max_size=5), st.integers(1, 3))
def test_the_choice_is_that_of_a_loop(batches: list[list[int]], which: int) -> None:
    chooser = Chooser(5, which)
    seen = [0] * 5
    for batch in batches:
        expected = []
        for position in batch:
            seen[position] += 1
            expected.append(seen[position] == which)
        assert chooser.choose(np.array(batch, np.int64)).tolist() == expected
    assert chooser.seen.tolist() == seen


def test_the_spool_keeps_the_order_of_each_shard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.operations.imports.caption_spool.MEMORY_BYTES", 100)
    expected: dict[int, tuple[list[int], list[bytes]]] = {0: ([], []), 1: ([], [])}
    with CaptionSpool(tmp_path) as spool:
        for n in range(40):
            line = row_line(n, f"caption\n{n}\u2028")
            spool.add(n % 2, [n], [line])
            expected[n % 2][0].append(n)
            expected[n % 2][1].append(line)
        assert spool.read(1) == expected[1]
        spool.add(0, [99], [row_line(99, "late")])
        assert spool.read(0)[0] == [*expected[0][0], 99]
        assert spool.read(7) == ([], [])
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("texts", [["a", "b\n"], ["a", "\ud83d"]])
def test_lines_are_made_one_by_one_or_together(texts: list[str]) -> None:
    assert row_lines([3, 7], texts) == [row_line(3, texts[0]), row_line(7, texts[1])]
    assert log_rows.parse_log(b"".join(row_lines([3, 7], texts)), 8).captions[7].raw == texts[1]
