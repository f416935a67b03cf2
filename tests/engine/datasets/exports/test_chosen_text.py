"""Which caption an image is trained on, in the formats where that can be chosen."""

from __future__ import annotations

import json
import tarfile
from collections import Counter
from pathlib import Path

import pytest

from engine.datasets.exports.writers.base import ExportRow
from engine.datasets.exports.writers.row_choice import chosen_captions, draw
from engine.images.image import ImagePaths
from tests.engine.datasets.exports.shards import make_plan, shard_of, write

CAPTIONS = [("alt 0", "one 0", "two 0"), (None, "one 1", None), ("alt 2", None, "two 2")]
IMAGES = ["0.png", "1.png", "2.png"]


def row(*captions: str | None, record_id: int = 7) -> ExportRow:
    return ExportRow(record_id=record_id, image="a", path="a", captions=captions, finishes=())


@pytest.mark.parametrize(
    ("text", "default", "columns"),
    [
        (None, "first", [1]),
        (None, "expand", [1, 2]),
        ("expand", "first", [1, 2]),
        ("original", "first", []),
        ("m1", "first", [1]),
        ("m2", "expand", [2]),
    ],
)
def test_the_choice(text: str | None, default: str, columns: list[int]) -> None:
    plan = make_plan(with_original=True, text=text)
    chosen = chosen_captions(plan, row(None, "one", "two"), default)
    assert [column for column, _ in chosen] == columns


def test_each_caption_is_drawn_as_often_and_always_the_same() -> None:
    plan = make_plan(with_original=True, text="random")
    drawn = Counter(
        chosen_captions(plan, row("a", "b", "c", record_id=number), "first")[0][1]
        for number in range(3000)
    )
    assert set(drawn) == set("abc")
    assert max(drawn.values()) - min(drawn.values()) < 200
    assert [draw(number, 3) for number in range(8)] == [draw(number, 3) for number in range(8)]


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("original", [(0, "alt 0"), (2, "alt 2")]),
        ("m1", [(0, "one 0"), (1, "one 1")]),
        (
            None,
            [(0, "alt 0"), (0, "one 0"), (0, "two 0"), (1, "one 1"), (2, "alt 2"), (2, "two 2")],
        ),
    ],
)
def test_a_table(tmp_path: Path, text: str | None, pairs: list[tuple[int, str]]) -> None:
    plan = make_plan(with_original=True, text=text)
    (encoded,) = write("openclip", tmp_path / "out", plan, shard_of(IMAGES, CAPTIONS))
    lines = (tmp_path / "out").read_text().splitlines()[1:]
    assert lines == [f"{number}.png\t{text}" for number, text in pairs]
    assert (encoded.captions, encoded.unchosen) == (len(pairs), 6 - len(pairs))
    assert encoded.unchosen_images == 3 - len({number for number, _ in pairs})


@pytest.mark.parametrize(
    ("text", "samples"),
    [
        (None, {"000000000": "alt 0", "000000001": "one 1", "000000002": "alt 2"}),
        ("m2", {"000000000": "two 0", "000000002": "two 2"}),
        (
            "expand",
            {
                "000000000-00": "alt 0",
                "000000000-01": "one 0",
                "000000000-02": "two 0",
                "000000001-01": "one 1",
                "000000002-00": "alt 2",
                "000000002-02": "two 2",
            },
        ),
    ],
)
def test_tars(tmp_path: Path, text: str | None, samples: dict[str, str]) -> None:
    plan = make_plan(with_original=True, text=text, image_paths=ImagePaths("/none"))
    out = tmp_path / "out"
    (encoded,) = write("wds", out, plan, shard_of(IMAGES, CAPTIONS))
    with tarfile.open(out / "00000.tar") as tar:
        texts: dict[str, bytes] = {}
        rows: dict[str, bytes] = {}
        for name in tar.getnames():
            member = tar.extractfile(name)
            assert member is not None
            key, _, suffix = name.partition(".")
            (texts if suffix == "txt" else rows)[key] = member.read()
    assert {key: value.decode() for key, value in texts.items()} == samples
    assert json.loads((out / "sizes.json").read_bytes()) == {"00000.tar": len(samples)}
    for key, value in rows.items():
        number = int(key[:9])
        names = ("original", "m1", "m2")
        assert [json.loads(value)[name] for name in names] == list(CAPTIONS[number])
    assert encoded.captions == sum(
        caption is not None
        for key in {key[:9] for key in samples}
        for caption in CAPTIONS[int(key)]
    )
