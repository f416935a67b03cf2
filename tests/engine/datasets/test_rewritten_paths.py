"""Caption files with other image paths: which bytes change, and which images are looked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.datasets.inputs.batch import RecordBatch
from engine.datasets.inputs.input_report import InputReport
from engine.datasets.inputs.open_input import InputSource
from engine.datasets.path_rules import PathRules, rewrite_batch
from engine.datasets.rewritten_paths import check_paths, merge_rewritten
from engine.utils.errors import BadInput

MAP = PathRules((("/mnt/x/", "/data/"),))


def source(path: Path) -> InputSource:
    return InputSource(path=path, root=path.parent)


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("rules", "image", "expected"),
    [
        (MAP, "/mnt/x/a.jpg", "/data/a.jpg"),
        (MAP, "a.jpg", "a.jpg"),
        (PathRules(image_root="/data"), "a.jpg", "/data/a.jpg"),
        (PathRules(image_root="/data/"), "./a//b.jpg", "/data/a/b.jpg"),
        (PathRules(image_root="/data"), "/a.jpg", "/a.jpg"),
        (PathRules((("/mnt/", ""),), "/data"), "/mnt/a.jpg", "/data/a.jpg"),
        (PathRules((("/mnt/x", "y"), ("/mnt", "z"))), "/mnt/a", "z/a"),
        (PathRules((("a", "ab"), ("ab", "c"))), "a.jpg", "ab.jpg"),
    ],
)
def test_the_new_path_of_an_image(rules: PathRules, image: str, expected: str) -> None:
    line = json.dumps({"image": image, "caption": "x"}).encode()
    text, changed = rewrite_batch(RecordBatch.from_lines([line], [image], ["x"]), rules)
    assert (rules.map(image), changed) == (expected, image != expected)
    assert json.loads(text) == {"image": expected, "caption": "x"}


@pytest.mark.parametrize(
    "record",
    [
        '{"image": "/mnt/x/a.jpg", "caption": "of /mnt/x/b.jpg", "n": 12345678901234567890123}',
        '{"image":"/mnt/x/a.jpg","caption":"\\ud83d \\u00e9 \\/"}',
        '{"caption": "\\"image\\": \\"/mnt/x/a.jpg\\"", "image" : "/mnt/x/a.jpg"}',
        '{"meta": {"image": "/mnt/x/b.jpg"}, "image": "/mnt/x/a.jpg"}',
        '{"image": "/mnt/x/a.jpg", "type": "image"}',
        '{"image": "\\/mnt\\/x\\/a.jpg", "caption": ""}',
        '{"im\\u0061ge": "/mnt/x/a.jpg", "box": [1e-3, {"a": "}, {"}]}',
    ],
)
def test_only_the_path_changes(tmp_path: Path, record: str) -> None:
    file = write(tmp_path / "in.json", f'[{record}, {{"image": "/mnt/x/c.jpg"}}]')
    merge_rewritten([source(file)], tmp_path / "out.json", MAP)
    head, _, tail = (tmp_path / "out.json").read_text().rpartition(",")
    old = '"\\/mnt\\/x\\/a.jpg"' if "\\/mnt" in record else '"/mnt/x/a.jpg"'
    before, _, after = record.rpartition(old)
    assert head == f'[\n{before}"/data/a.jpg"{after}'
    assert tail.split() == ['{"image":', '"/data/c.jpg"}', "]"]


def test_many_files_of_many_forms_become_one(tmp_path: Path) -> None:
    first = write(tmp_path / "a.json", json.dumps([{"image": "/mnt/x/1.jpg", "caption": "a"}] * 3))
    second = write(tmp_path / "b.csv", "filepath,title\n/mnt/x/2.jpg,b\n")
    third = write(tmp_path / "c.jsonl", '{"image": "3.jpg", "caption": "c"}\n')
    report, read, written = InputReport(), list[int](), list[int]()
    counts = merge_rewritten(
        [source(path) for path in (first, second, third)],
        tmp_path / "out.json",
        MAP,
        report=report,
        reading=read.append,
        writing=written.append,
    )
    records = json.loads((tmp_path / "out.json").read_text())
    assert [record["image"] for record in records] == [
        *["/data/1.jpg"] * 3,
        "/data/2.jpg",
        "3.jpg",
    ]
    assert (report.records, read[-1], written[-1], counts.changed) == (5, 5, 5, 4)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a.json",
        "b.csv",
        "c.jsonl",
        "out.json",
    ]


def test_images_are_looked_for_beside_their_file(tmp_path: Path) -> None:
    for name in ("1.jpg", "2.jpg"):
        (tmp_path / name).touch()
    file = write(
        tmp_path / "a.json", json.dumps([{"image": f"/mnt/x/{n}.jpg"} for n in range(1, 8)])
    )
    here = PathRules((("/mnt/x/", ""),))
    found = check_paths([source(file)], here, InputReport())
    assert found.check_text() == (
        "2 of 7 images exist (28.57 %); not there: 3.jpg, 4.jpg, 5.jpg, ..."
    )
    with pytest.raises(BadInput, match=r"0 of 7 images exist .* give --path-map"):
        check_paths([source(file)], PathRules(), InputReport())


def test_nothing_is_written_where_no_image_exists(tmp_path: Path) -> None:
    file = write(tmp_path / "a.json", json.dumps([{"image": "1.jpg"}]))
    with pytest.raises(BadInput, match="0 of 1 images"):
        merge_rewritten([source(file)], tmp_path / "out.json", MAP, check=True)
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_an_input_is_never_the_output(tmp_path: Path) -> None:
    file = write(tmp_path / "a.json", json.dumps([{"image": "1.jpg"}]))
    with pytest.raises(BadInput, match="is an input"):
        merge_rewritten([source(file)], file, MAP, force=True)
