"""Two columns or keys of one name: which one is meant is for a person to say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.datasets.inputs.input_report import BadRecord, InputReport
from engine.utils.errors import BadInput
from tests.engine.datasets.inputs.reading import pairs

ROW = ["a.jpg", "one", "two", "three"]


@pytest.mark.parametrize(
    ("header", "options", "repeated"),
    [
        (["image", "caption", "caption", "x"], {}, "2 columns 'caption'"),
        (["image", "caption", "image", "x"], {}, "2 columns 'image'"),
        (["image", "caption_0", "caption_1", "caption_0"], {}, "2 columns 'caption_0'"),
        (["image", "note", "note", "note"], {"caption_column": "note"}, "3 columns 'note'"),
        (["image", "caption", "x", "x"], {}, None),
        (["image", "caption", "caption", "note"], {"caption_column": "note"}, None),
    ],
)
@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_columns_of_one_name(
    tmp_path: Path, header: list[str], options: dict[str, Any], repeated: str | None, name: str
) -> None:
    path = tmp_path / name
    if name == "a.csv":
        path.write_text(f"{','.join(header)}\n{','.join(ROW)}\n")
    else:
        arrow = pytest.importorskip("pyarrow")
        parquet = pytest.importorskip("pyarrow.parquet")
        table = arrow.Table.from_arrays([arrow.array([cell]) for cell in ROW], names=header)
        parquet.write_table(table, path)
    if repeated is None:
        assert pairs(path, **options) == [
            ("a.jpg", ROW[header.index(options.get("caption_column", "caption"))])
        ]
    else:
        with pytest.raises(BadInput, match=f"{repeated}: give all but one another name"):
            pairs(path, **options)


@pytest.mark.parametrize(
    ("record", "repeated"),
    [
        ('{"image": "a.jpg", "caption": "one", "caption": "two"}', "caption"),
        ('{"image": "a.jpg", "image" : "b.jpg"}', "image"),
        ('{"file_name": "a.jpg", "text": "one", "text": "two"}', "text"),
        ('{"image": "a.jpg", "caption": "one", "x": 1, "x": 2}', None),
        ('{"image": "a.jpg", "caption": "one", "parts": [{"caption": "caption"}]}', None),
        ('{"image": "a.jpg", "caption": "one", "x": "\\"caption\\": "}', None),
    ],
)
def test_keys_of_one_name(tmp_path: Path, record: str, repeated: str | None) -> None:
    plain = json.dumps({"image": "z.jpg", "caption": "z"})
    lines = tmp_path / "a.jsonl"
    lines.write_text(f"{record}\n{plain}\n")
    array = tmp_path / "a.json"
    array.write_text(f"[{plain}, {record}, {plain}]")
    for path in (lines, array):
        if repeated is None:
            assert ("a.jpg", "one") in pairs(path)
            continue
        with pytest.raises(BadRecord, match=f"it has {repeated!r} twice"):
            pairs(path)
        report = InputReport(skip_bad=True)
        assert set(pairs(path, report)) == {("z.jpg", "z")}
        assert report.skipped.count == 1
