"""COCO's two lists are joined by the images' ids, whatever their order."""

from __future__ import annotations

import json
import random
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.datasets.inputs import coco
from engine.datasets.inputs.coco import CaptionTable
from engine.datasets.inputs.input_report import BadRecord, InputReport
from engine.utils.errors import BadInput
from tests.engine.datasets.inputs.reading import pairs, passed_over, values


def write(path: Path, images: list[Any], annotations: list[Any], **options: Any) -> Path:
    swapped = options.pop("swapped", False)
    lists = {"images": images, "annotations": annotations}
    if swapped:
        lists = dict(reversed(lists.items()))
    path.write_text(
        json.dumps({"info": {"year": 2014}, "licenses": [{"id": 1}], **lists}, **options)
    )
    return path


def image(n: int, **others: Any) -> dict[str, Any]:
    return {"id": 10 + n, "file_name": f"img/{n}.jpg", "height": 24, **others}


def annotation(n: int, caption: Any, **others: Any) -> dict[str, Any]:
    return {"id": 100 + n, "image_id": 10 + n, "caption": caption, **others}


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("indent", [None, 0, 2])
def test_captions_find_their_images(tmp_path: Path, swapped: bool, indent: int | None) -> None:
    annotations = [annotation(n, f"cap {n}") for n in (3, 0, 2)]
    annotations += [annotation(0, "second"), annotation(9, "of no image")]
    images = [image(n) for n in range(4)]
    path = write(tmp_path / "a.json", images, annotations, indent=indent, swapped=swapped)
    report = InputReport()
    expected = [("img/0.jpg", "cap 0"), ("img/1.jpg", ""), ("img/2.jpg", "cap 2")]
    assert pairs(path, report) == [*expected, ("img/3.jpg", "cap 3")]
    assert (report.records, report.captioned) == (4, 3)
    assert passed_over(report) == {
        "further captions of one image": 1,
        "captions of images that are not listed": 1,
    }
    each = pairs(path, several_captions="each")
    assert each == [expected[0], ("img/0.jpg", "second"), *expected[1:], ("img/3.jpg", "cap 3")]
    first, second, *_ = values(path)
    assert first == {
        "image": "img/0.jpg",
        "caption": "cap 0",
        "captions": ["cap 0", "second"],
        "id": 10,
        "height": 24,
    }
    assert second == {"image": "img/1.jpg", "caption": "", "id": 11, "height": 24}


def test_ids_may_be_texts_long_or_written_differently(tmp_path: Path) -> None:
    ids = ["a", "007", 2**70, -1, 0]
    images = [{"id": id, "file_name": f"{n}.jpg"} for n, id in enumerate(ids)]
    images.append({"id": "12", "file_name": "12.jpg"})
    annotations = [{"image_id": id, "caption": str(id)} for id in [*reversed(ids), 12]]
    path = write(tmp_path / "a.json", images, annotations)
    assert [caption for _, caption in pairs(path)] == [*map(str, ids), "12"]


@pytest.mark.parametrize("lost", ["none", 2**70, 7])
def test_the_id_of_an_image_that_is_not_listed_is_told_as_it_is(
    tmp_path: Path, lost: int | str
) -> None:
    path = write(
        tmp_path / "a.json", [image(0)], [annotation(0, "a"), {"image_id": lost, "caption": "b"}]
    )
    report = InputReport()
    assert pairs(path, report) == [("img/0.jpg", "a")]
    (passed,) = report.passed_over.values()
    assert f"(image_id {lost})" in passed.example


def test_bad_images_and_annotations_are_named_or_left_out(tmp_path: Path) -> None:
    images = [image(0), {"id": 11}, 7, image(3), {"file_name": "x.jpg"}]
    annotations = [annotation(0, "a"), 7, {"caption": "no image"}, annotation(3, 7)]
    path = write(tmp_path / "a.json", images, annotations)
    with pytest.raises(BadRecord, match=r"annotation 1: not an object \(at byte"):
        pairs(path)
    report = InputReport(skip_bad=True)
    assert pairs(path, report) == [("img/0.jpg", "a"), ("img/3.jpg", "")]
    assert report.skipped.count == 6


def test_annotations_without_captions_are_counted(tmp_path: Path) -> None:
    boxes = [{"image_id": 10, "bbox": [0, 0, 1, 1]}, {"image_id": 10, "bbox": [0, 0, 2, 2]}]
    path = write(tmp_path / "a.json", [image(0), image(1)], boxes)
    report = InputReport()
    assert pairs(path, report) == [("img/0.jpg", ""), ("img/1.jpg", "")]
    assert passed_over(report) == {"annotations without a caption": 2}
    assert report.uncaptioned_keys == ["id", "file_name", "height"]


def test_images_alone_and_annotations_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"images": [image(0), image(1)], "categories": []}))
    assert pairs(path) == [("img/0.jpg", ""), ("img/1.jpg", "")]
    path.write_text(json.dumps({"annotations": [annotation(0, "a")]}))
    with pytest.raises(BadInput, match="its keys are 'id', 'image_id', 'caption'"):
        pairs(path)


def test_columns_are_named(tmp_path: Path) -> None:
    images = [image(n, local=f"here/{n}.png") for n in range(2)]
    annotations = [annotation(n, "no", de=f"Satz {n}") for n in range(2)]
    path = write(tmp_path / "a.json", images, annotations)
    named = pairs(path, image_column="local", caption_column="de")
    assert named == [("here/0.png", "Satz 0"), ("here/1.png", "Satz 1")]
    with pytest.raises(BadInput, match="no record has 'fr'"):
        pairs(path, caption_column="fr")


@given(st.lists(st.tuples(st.integers(0, 5) | st.sampled_from("abc"), st.text(max_size=5))))
def test_the_table_gives_each_image_its_captions_in_order(rows: list[tuple[Any, str]]) -> None:
    with CaptionTable() as table:
        for image_id, text in rows:
            table.add(image_id, text)
        table.sort()
        for image_id in [*range(6), "a", "b", "c", "absent"]:
            expected = [text for other, text in rows if other == image_id]
            assert table.captions(image_id) == expected


def test_the_table_takes_forty_bytes_a_caption() -> None:
    count = 100_000
    ids = random.Random(0).sample(range(10**9), count)
    tracemalloc.start()
    with CaptionTable() as table:
        for image_id in ids:
            table.add(image_id, "a caption of some length, as people write them")
        table.sort()
        size, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert size < 60 * count
    assert coco.LARGEST_ID > 10**18
