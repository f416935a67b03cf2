"""Parquet and Arrow tables, with images inside of them or beside them."""

from __future__ import annotations

import json
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from engine.datasets.inputs.arrow_files import ParquetTable
from engine.datasets.inputs.input_report import BadRecord, InputReport
from engine.images.image import ImagePaths, image_exists, open_image, read_image_bytes
from engine.utils.errors import BadInput
from tests.engine.datasets.inputs.reading import pairs, passed_over
from tests.support.cli import cli, cli_ok

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
COUNT = 6


def colour(n: int) -> tuple[int, int, int]:
    return (40 * n, 255 - 40 * n, 7)


def picture(n: int) -> bytes:
    out = BytesIO()
    Image.new("RGB", (8, 8), colour(n)).save(out, "PNG")
    return out.getvalue()


def cell(n: int, path: str | None = "") -> dict[str, Any]:
    return {"bytes": picture(n), "path": f"{n}.png" if path == "" else path}


def write(path: Path, columns: dict[str, Any], types: Any = None, **options: Any) -> Path:
    arrays = {name: pa.array(items, (types or {}).get(name)) for name, items in columns.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".arrow":
        table = pa.table(arrays)
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as out:
            out.write_table(table, max_chunksize=options.get("row_group_size"))
    else:
        pq.write_table(pa.table(arrays), path, **options)
    return path


def check_pixels(root: Path, images: list[str], numbers: list[int] | None = None) -> None:
    """Check that each image is the picture of its number, which is its position by default."""
    for n, image in zip(numbers or range(len(images)), images, strict=True):
        opened = open_image(str(root / image)).rgb()
        assert opened.getpixel((0, 0)) == colour(n), image
        assert image_exists(ImagePaths(str(root)), image)


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow"])
@pytest.mark.parametrize("group", [1, 4, 100])
def test_images_inside_are_addressed_by_file_column_and_row(
    tmp_path: Path, name: str, group: int
) -> None:
    columns = {"image": [cell(n) for n in range(COUNT)], "text": [f"cap {n}" for n in range(COUNT)]}
    write(tmp_path / "in" / name, columns, {"image": IMAGE}, row_group_size=group)
    report = InputReport()
    read = pairs(tmp_path / "in" / name, report, root=tmp_path)
    assert read == [(f"in/{name}/image/{n}.png", f"cap {n}") for n in range(COUNT)]
    assert report.captioned == COUNT
    check_pixels(tmp_path, [image for image, _ in read])
    outside = pairs(tmp_path / "in" / name, root=tmp_path / "elsewhere")
    assert outside[2][0] == str(tmp_path / f"in/{name}/image/2.png")
    assert not image_exists(ImagePaths(str(tmp_path)), f"in/{name}/image/{COUNT}.png")
    assert not image_exists(ImagePaths(str(tmp_path)), f"in/{name}/other/0.png")


@pytest.mark.parametrize(
    ("cells", "suffixes"),
    [
        (
            [cell(0, None), cell(1, "x.JPG"), cell(2, "no suffix"), cell(3, "v1.final version")],
            [".png", ".jpg", ".png", ".png"],
        ),
        (
            [{"bytes": data, "path": None} for data in (b"\xff\xd8\xff\xe0", b"what", b"RIFF")],
            [".jpg", "", ""],
        ),
    ],
)
def test_the_suffix_is_the_names_or_that_of_the_content(
    tmp_path: Path, cells: list[Any], suffixes: list[str]
) -> None:
    path = write(tmp_path / "a.parquet", {"image": cells}, {"image": IMAGE})
    images = [image for image, _ in pairs(path)]
    assert images == [f"a.parquet/image/{n}{suffix}" for n, suffix in enumerate(suffixes)]


def test_images_beside_the_table_and_missing_ones(tmp_path: Path) -> None:
    cells = [cell(0), {"bytes": None, "path": "img/1.png"}, None, {"bytes": None, "path": None}]
    path = write(tmp_path / "a.parquet", {"image": [*cells, cell(4)]}, {"image": IMAGE})
    with pytest.raises(BadRecord, match=r"no image path \(in row 2\)"):
        pairs(path)
    report = InputReport(skip_bad=True)
    images = [image for image, _ in pairs(path, report)]
    assert images == ["a.parquet/image/0.png", "img/1.png", "a.parquet/image/4.png"]
    assert report.skipped.count == 2
    path = write(tmp_path / "b.parquet", {"image": cells[1:2] * 3}, {"image": IMAGE})
    assert pairs(path) == [("img/1.png", "")] * 3


def test_images_are_not_read_where_their_names_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []
    read = ParquetTable.read

    def spy(table: ParquetTable, group: int, columns: list[str], rows: int) -> Any:
        asked.append(columns if rows > 1 else ["first row"])
        return read(table, group, columns, rows)

    monkeypatch.setattr(ParquetTable, "read", spy)
    cells = [cell(n) for n in range(COUNT)]
    path = write(tmp_path / "a.parquet", {"image": cells, "text": ["x"] * COUNT}, {"image": IMAGE})
    assert len(pairs(path)) == COUNT
    assert asked == [["first row"], ["image.path"], ["image.path", "text"]]
    asked.clear()
    cells[3]["path"] = None
    path = write(tmp_path / "b.parquet", {"image": cells}, {"image": IMAGE}, row_group_size=3)
    assert [image.rpartition("/")[2] for image, _ in pairs(path)] == [f"{n}.png" for n in range(6)]
    first = [["first row"], ["image.path"]]
    assert asked == [*first, ["image.path"], *first, ["image"]]


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow"])
@pytest.mark.parametrize("column", ["jpg", "a.b", "ü / x", "..", "image"])
def test_columns_of_every_name_and_kind(tmp_path: Path, name: str, column: str) -> None:
    cells = [cell(n) for n in range(3)]
    path = write(tmp_path / name, {"id": [1, 2, 3], column: cells}, {column: IMAGE})
    check_pixels(tmp_path, [image for image, _ in pairs(path)])
    lists = [[cells[0]], [], [cells[2]], cells, None]
    path = write(
        tmp_path / name, {column: lists, "caption": list("abcde")}, {column: pa.list_(IMAGE)}
    )
    report = InputReport(skip_bad=True)
    read = pairs(path, report)
    assert [caption for _, caption in read] == ["a", "c"]
    check_pixels(tmp_path, [image for image, _ in read], [0, 2])
    assert passed_over(report) == {"records of several images": 1}
    assert report.skipped.count == 2
    path = write(tmp_path / name, {column: [picture(n) for n in range(3)]})
    check_pixels(tmp_path, [image for image, _ in pairs(path, image_column=column)])


@pytest.mark.parametrize(
    ("captions", "expected"),
    [
        (pa.nulls(2), ["", ""]),
        (pa.array(["a", None]).dictionary_encode(), ["a", ""]),
        (pa.array([["a", "b"], []]), ["a", ""]),
        (pa.array([[{"raw": "a"}], None]), ["a", ""]),
        (pa.array([[{"from": "gpt", "value": "a"}], []]), ["a", ""]),
    ],
    ids=["null", "dictionary", "lists", "sentences", "conversations"],
)
def test_captions_of_every_type(tmp_path: Path, captions: Any, expected: list[str]) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"image": ["0.png", "1.png"], "caption": captions}), path)
    assert pairs(path) == list(zip(["0.png", "1.png"], expected, strict=True))
    if any(expected):
        return
    report = InputReport()
    pairs(path, report)
    assert (report.captioned, report.uncaptioned_keys) == (0, ["image", "caption"])


def test_conversations_of_texts_alone_are_passed_over(tmp_path: Path) -> None:
    turns = [[{"role": "user", "content": "?"}, {"role": "assistant", "content": "a"}]] * 2
    columns = {"images": [[cell(0)], []], "messages": turns}
    path = write(tmp_path / "a.parquet", columns, {"images": pa.list_(IMAGE)})
    report = InputReport()
    assert pairs(path, report) == [("a.parquet/images/0.png", "a")]
    assert passed_over(report) == {"records without an image": 1}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"image": [1, 2]}, "column 'image' is int64, not text and no images"),
        ({"image": pa.nulls(2)}, "column 'image' holds nothing"),
        ({"image": ["a"], "caption": [1]}, "column 'caption' is int64, not text"),
        ({"image": [{"src": "http://x.test/0.jpg", "width": 3}]}, "not text and no images"),
        ({"image": pa.array([], pa.string())}, "holds no records"),
        ({"url": ["http://x.test"], "caption": ["a"]}, "images must be local"),
        ({"id": [1]}, r"no column of image paths \(it has 'id'\)"),
    ],
)
def test_tables_without_images_say_so(tmp_path: Path, columns: Any, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        pairs(write(tmp_path / "a.parquet", columns))


def test_rows_that_cannot_be_read_are_left_out(tmp_path: Path) -> None:
    captions = [os.urandom(40).hex() for _ in range(COUNT)]
    columns = {"image": [f"{n}.png" for n in range(COUNT)], "caption": captions}
    path = write(tmp_path / "a.parquet", columns, row_group_size=2, compression="zstd")
    metadata = pq.ParquetFile(path).metadata
    start = metadata.row_group(1).column(1).data_page_offset or 0
    data = bytearray(path.read_bytes())
    data[start : start + 90] = b"\xff" * 90
    path.write_bytes(data)
    with pytest.raises(BadRecord, match=r"\(rows 2 to 3\)"):
        pairs(path)
    report = InputReport(skip_bad=True)
    assert [image for image, _ in pairs(path, report)] == ["0.png", "1.png", "4.png", "5.png"]
    assert report.skipped.count == 1


def save_to_disk(folder: Path, names: list[str], cells: list[Any]) -> None:
    """Write what `datasets` does: Arrow files, and state.json, which lists them."""
    for number, name in enumerate(names):
        part = cells[number :: len(names)]
        write(folder / name, {"image": part, "text": ["cap"] * len(part)}, {"image": IMAGE})
    state = {"_data_files": [{"filename": name} for name in names], "_indices_data_files": None}
    (folder / "state.json").write_text(json.dumps(state))
    (folder / "dataset_info.json").write_text("{}")


def test_a_folder_of_save_to_disk(tmp_path: Path) -> None:
    names = [f"data-{n:05}-of-00002.arrow" for n in range(2)]
    save_to_disk(tmp_path / "set", names, [cell(n) for n in range(4)])
    images = [image for image, _ in pairs(tmp_path / "set", root=tmp_path)]
    assert images == [f"set/{name}/image/{n}.png" for name in names for n in range(2)]
    check_pixels(tmp_path, images, [0, 2, 1, 3])
    for split in ("train", "test"):
        save_to_disk(tmp_path / "splits" / split, names[:1], [cell(1), cell(2)])
    (tmp_path / "splits/dataset_dict.json").write_text(json.dumps({"splits": ["train", "test"]}))
    assert len(pairs(tmp_path / "splits")) == 4
    for state in ({}, {"_data_files": [{"filename": "../x.arrow"}]}, {"_indices_data_files": [1]}):
        (tmp_path / "set/state.json").write_text(json.dumps(state))
        with pytest.raises(BadInput, match=r"lists no files|flatten_indices"):
            pairs(tmp_path / "set")
    (tmp_path / "splits/dataset_dict.json").write_text('{"splits": ["../set"]}')
    with pytest.raises(BadInput, match="lists no splits"):
        pairs(tmp_path / "splits")


def test_an_empty_split_of_save_to_disk(tmp_path: Path) -> None:
    save_to_disk(tmp_path / "train", ["a"], [cell(1)])
    (tmp_path / "test").mkdir()
    (tmp_path / "test/state.json").write_text('{"_data_files": []}')
    with pytest.raises(BadInput, match="test holds no records"):
        pairs(tmp_path / "test")
    (tmp_path / "dataset_dict.json").write_text('{"splits": ["test", "train"]}')
    assert len(pairs(tmp_path)) == 1


def test_what_datasets_itself_saves(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    for n in range(4):
        Image.new("RGB", (8, 8), colour(n)).save(tmp_path / f"{n}.png")
    files = [str(tmp_path / f"{n}.png") for n in range(4)]
    captions = [f"cap {n}" for n in range(4)]
    dataset = datasets.Dataset.from_dict({"image": files, "text": captions})
    dataset = dataset.cast_column("image", datasets.Image())
    shuffled = dataset.select([3, 1, 0])
    shuffled.save_to_disk(tmp_path / "alone", num_shards=2)
    datasets.DatasetDict({"train": shuffled}).save_to_disk(tmp_path / "splits")
    table = datasets.table.embed_table_storage(shuffled.with_format("arrow")[:])
    hub = datasets.Dataset(table, info=dataset.info)
    hub.to_parquet(tmp_path / "hub/data/train-00000-of-00001.parquet")
    for folder in ("alone", "splits", "hub"):
        read = pairs(tmp_path / folder, root=tmp_path)
        assert [caption for _, caption in read] == ["cap 3", "cap 1", "cap 0"]
        check_pixels(tmp_path, [image for image, _ in read], [3, 1, 0])


def test_folders_of_parquet(tmp_path: Path) -> None:
    for name in ("train-00001-of-00003", "train-00000-of-00003", "test-00000-of-00001"):
        write(tmp_path / f"hub/data/{name}.parquet", {"image": [cell(1)]}, {"image": IMAGE})
    write(tmp_path / "hub/.cache/x.parquet", {"image": [cell(1)]}, {"image": IMAGE})
    report = InputReport()
    images = [image for image, _ in pairs(tmp_path / "hub", report, root=tmp_path / "hub")]
    assert images == [
        "data/test-00000-of-00001.parquet/image/0.png",
        "data/train-00000-of-00003.parquet/image/0.png",
        "data/train-00001-of-00003.parquet/image/0.png",
    ]
    missing = report.passed_over["tables that are not there"]
    assert (missing.count, Path(missing.example).name) == (1, "train-00002-of-00003.parquet")
    (tmp_path / "hub/data/test-00000-of-00001.parquet").write_bytes(b"PAR1")
    with pytest.raises(BadInput, match="as Parquet"):
        pairs(tmp_path / "hub")
    report = InputReport(skip_bad=True)
    write(tmp_path / "hub/data/a.parquet", {"image": [cell(1)]}, {"image": IMAGE})
    assert len(pairs(tmp_path / "hub", report)) == 3
    assert "all of it is left out" in report.skipped.messages[0]


def test_what_lies_beside_tables_is_counted(tmp_path: Path) -> None:
    write(tmp_path / "data/a.parquet", {"image": [cell(1)]}, {"image": IMAGE})
    write(tmp_path / "data/deep/er/b.parquet", {"image": [cell(1)]}, {"image": IMAGE})
    (tmp_path / "0.png").write_bytes(picture(0))
    (tmp_path / "data/0.tar").write_bytes(b"")
    report = InputReport()
    assert len(pairs(tmp_path, report, root=tmp_path)) == 1
    assert passed_over(report) == {"images, tars and tables beside the tables that are read": 3}


def test_images_that_a_table_names_are_not_beside_it(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("0.png", "sub/1.png", "2.png"):
        (tmp_path / name).write_bytes(picture(0))
    write(tmp_path / "a.parquet", {"file_name": ["0.png", "./sub/1.png"]})
    report = InputReport()
    assert len(pairs(tmp_path, report, root=tmp_path)) == 2
    (passed,) = report.passed_over.values()
    assert (passed.count, Path(passed.example).name) == (1, "2.png")


def test_a_table_without_rows_is_passed_over_among_others(tmp_path: Path) -> None:
    for name, cells in (("a", []), ("b", [cell(1)])):
        write(tmp_path / f"{name}.parquet", {"image": cells}, {"image": IMAGE})
    report = InputReport()
    assert len(pairs(tmp_path, report)) == 1
    assert passed_over(report) == {"tables without records": 1}


def test_parquet_of_img2dataset_beside_its_images_is_no_table_of_images(tmp_path: Path) -> None:
    write(tmp_path / "a/00000.parquet", {"url": ["x"], "caption": ["y"], "key": ["0"]})
    (tmp_path / "a/0.png").write_bytes(picture(0))
    (tmp_path / "a/0.txt").write_text("cap")
    assert pairs(tmp_path / "a") == [("a/0.png", "cap")]


def read_crc(arguments: tuple[str, int]) -> tuple[int, Any]:
    folder, n = arguments
    opened = open_image(f"{folder}/a.parquet/image/{n}.png").rgb()
    return n, opened.getpixel((0, 0))


def test_many_threads_and_processes_read_their_own_image(tmp_path: Path) -> None:
    cells = [cell(n % 6) for n in range(60)]
    write(tmp_path / "a.parquet", {"image": cells}, {"image": IMAGE}, row_group_size=7)
    jobs = [(str(tmp_path), n) for n in range(60)] * 2
    with ThreadPoolExecutor(8) as threads:
        for n, pixel in threads.map(read_crc, jobs):
            assert pixel == colour(n % 6)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as processes:
        for n, pixel in processes.map(read_crc, jobs[:20]):
            assert pixel == colour(n % 6)


def test_images_inside_are_captioned_and_exported(tmp_path: Path) -> None:
    data = tmp_path / "data"
    columns = {"image": [cell(n) for n in range(COUNT)], "text": [f"cap {n}" for n in range(COUNT)]}
    write(data / "a.parquet", columns, {"image": IMAGE}, row_group_size=4)
    project = tmp_path / "run"
    made = cli("new", project, data / "a.parquet", "--model", "dry-run", "--check-images")
    assert "6 records" in made.stdout and not made.stderr, made
    cli_ok("run", project, "--devices", "cpu")
    cli_ok("export", project, tmp_path / "out.jsonl", "--format", "jsonl", "--with-original")
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [line["caption"] for line in lines[::2]] == columns["text"]
    cli_ok("export", project, tmp_path / "hf", "--format", "hf", "--images", "copy")
    rows = [json.loads(line) for line in (tmp_path / "hf/metadata.jsonl").read_text().splitlines()]
    copies = [(tmp_path / "hf" / row["file_name"]).read_bytes() for row in rows]
    assert copies == [picture(n) for n in range(COUNT)]
    data.rename(tmp_path / "gone")
    assert not image_exists(ImagePaths(str(data)), "a.parquet/image/0.png")
    assert read_image_bytes(str(tmp_path / "gone/a.parquet/image/5.png")) == picture(5)
