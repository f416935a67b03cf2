"""The parts that all export formats share."""

from __future__ import annotations

from typing import Any

import pytest

from db.rows import ShardRow
from engine.datasets.exports.image_files import image_suffix
from engine.datasets.exports.shard_captions import ShardCaptions
from engine.datasets.exports.writers.base import captions_by_name, file_name, rows_of
from tests.engine.datasets.exports.shards import make_plan

CAPTIONS = ShardCaptions(
    shard=ShardRow(number=3, first=300, count=3, bytes=1, digest="d"),
    images=["a.jpg", "b.jpg", "/c.jpg"],
    originals=[b'"alt"', None, None],
    columns=[[b'"a dog"', None, None], [None, None, b'"a cat"']],
    finishes=[["stop", None, None], [None, None, "length"]],
)


@pytest.mark.parametrize(
    ("values", "image", "path"),
    [
        ({}, "a/b.jpg", "a/b.jpg"),
        ({"image_root": "/data"}, "a/b.jpg", "/data/a/b.jpg"),
        ({"image_root": "/data"}, "/a/b.jpg", "/a/b.jpg"),
        ({"path_map": (("a/", "c/"),)}, "a/b.jpg", "c/b.jpg"),
        ({"path_map": (("x", "y"), ("a", "c"), ("a/", "d/"))}, "a/b.jpg", "c/b.jpg"),
        ({"path_map": (("a/", ""),), "image_root": "/data"}, "a/b.jpg", "/data/b.jpg"),
        ({"path_map": (("a/", "/c/"),), "image_root": "/data"}, "a/b.jpg", "/c/b.jpg"),
        ({"path_map": (("x/", ""),), "image_root": "/data"}, "a/b.jpg", "/data/a/b.jpg"),
    ],
)
def test_paths_as_the_reader_will_find_them(values: dict[str, Any], image: str, path: str) -> None:
    plan = make_plan(**values)
    assert plan.map_path(image) == path
    assert plan.rewrites_paths == bool(values)


def test_images_without_a_caption_are_passed_over() -> None:
    rows = list(rows_of(make_plan(), CAPTIONS))
    assert [(row.record_id, row.image, row.captions) for row in rows] == [
        (300, "a.jpg", ("a dog", None)),
        (302, "/c.jpg", (None, "a cat")),
    ]


def test_the_original_comes_first_and_has_no_finish() -> None:
    row = next(rows_of(make_plan(with_original=True), CAPTIONS))
    assert (row.captions, row.finishes) == (("alt", "a dog", None), (None, "stop", None))


def test_provenance_is_of_the_captions_that_are_there() -> None:
    plan = make_plan(with_original=True, provenance=True)
    row = next(rows_of(plan, CAPTIONS))
    unknown = {"checkpoint": None, "prompt": None, "seed": None, "finish": None}
    known = {"checkpoint": "/c1", "prompt": "What?", "seed": 1, "finish": "stop"}
    assert captions_by_name(plan, row) == {
        "original": "alt",
        "m1": "a dog",
        "m2": None,
        "provenance": {
            "original": {"model": "original"} | unknown,
            "m1": {"model": "m1"} | known,
        },
    }


@pytest.mark.parametrize(("name", "file"), [("m.1-b_c+", "m.1-b_c+"), ("a/b c", "a_b_c")])
def test_a_model_as_a_file_name(name: str, file: str) -> None:
    assert file_name(name) == file


@pytest.mark.parametrize(
    ("image", "suffix"), [("a/b.JPEG", ".jpeg"), ("a.b/c", ".jpg"), ("x.tar/y.png", ".png")]
)
def test_the_suffix_of_a_copy(image: str, suffix: str) -> None:
    assert image_suffix(image) == suffix
