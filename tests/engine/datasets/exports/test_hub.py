"""The format `hub`: Parquet files of about one size with images, and the card."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.datasets.exports.writers import hub
from engine.images.image import ImagePaths
from tests.engine.datasets.exports.shards import make_plan, shard_of, write
from tests.support.pictures import draw_picture

parquet = pytest.importorskip("pyarrow.parquet")
COUNT = 10


@pytest.fixture
def images(tmp_path: Path) -> list[str]:
    names = [f"images/{number:02}.png" for number in range(COUNT)]
    for number, name in enumerate(names):
        if number != 3:
            draw_picture(tmp_path / name, number)
    return names


def read_rows(out: Path) -> list[dict[str, Any]]:
    files = sorted((out / "data").iterdir())
    return [row for file in files for row in parquet.read_table(file).to_pylist()]


def test_rows_of_all_shards_lie_in_files_of_about_one_size(
    images: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "FILE_BYTES", 2000)
    monkeypatch.setattr(hub, "GROUP_ROWS", 2)
    plan = make_plan(
        with_original=True,
        with_uid=True,
        with_list=True,
        provenance=True,
        image_paths=ImagePaths(str(tmp_path)),
    )
    captions = [(f"alt {number}", None, f"two {number}") for number in range(COUNT)]
    shards = [
        shard_of(images[start : start + 4], captions[start : start + 4], start)
        for start in (0, 4, 8)
    ]
    out = tmp_path / "out"
    encoded = write("hub", out, plan, *shards)
    assert [shard.images for shard in encoded] == [3, 4, 2], "one image is missing"
    names = sorted(path.name for path in (out / "data").iterdir())
    assert len(names) > 1
    assert names == [f"train-{n:05}-of-{len(names):05}.parquet" for n in range(len(names))]
    rows = read_rows(out)
    numbers = [number for number in range(COUNT) if number != 3]
    assert [row["image_path"] for row in rows] == [images[number] for number in numbers]
    for number, row in zip(numbers, rows, strict=True):
        assert row["image"]["bytes"] == (tmp_path / images[number]).read_bytes()
        assert row["image"]["path"] == f"{number:09}.png"
        assert (row["original"], row["m1"], row["m2"]) == captions[number]
        assert row["captions"] == [f"alt {number}", f"two {number}"]
        assert set(json.loads(row["provenance"])) == {"original", "m2"}
    assert len({row["uid"] for row in rows}) == len(rows)
    assert "9 images, a row each" in (out / "README.md").read_text()


def test_without_images_there_is_a_file_without_rows(tmp_path: Path) -> None:
    plan = make_plan(image_paths=ImagePaths(str(tmp_path)))
    write("hub", tmp_path / "out", plan, shard_of(["no.png"], [(None, "one", None)]))
    assert read_rows(tmp_path / "out") == []


def test_datasets_loads_it(images: list[str], tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    plan = make_plan(image_paths=ImagePaths(str(tmp_path)), with_list=True)
    captions = [(None, f"one {number}", None) for number in range(COUNT)]
    write("hub", tmp_path / "out", plan, shard_of(images, captions))
    loaded = datasets.load_dataset(
        str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache")
    )
    numbers = [number for number in range(COUNT) if number != 3]
    for number, row in zip(numbers, loaded, strict=True):
        assert row["image"].getpixel((0, 0)) == (number, 0, 0)
        assert (row["m1"], row["m2"], row["captions"]) == (f"one {number}", None, [f"one {number}"])


def test_a_hostile_prompt_is_shown_to_the_letter(tmp_path: Path) -> None:
    plan = make_plan()
    plan.models[0].settings["prompt"] = "a `tick`\n# no heading"
    write("hub", tmp_path / "out", plan, shard_of(["no.png"], [(None, "one", None)]))
    card = (tmp_path / "out" / "README.md").read_text()
    assert "asked `\"a 'tick'\\n# no heading\"`" in card
