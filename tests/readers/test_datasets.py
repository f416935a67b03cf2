"""Hugging Face `datasets` loads the formats `hf`, `parquet`, `columns`, `json`, `jsonl`, `wds`."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.readers.conftest import Call
from tests.readers.hostile_project import FOLDERS, NAMES, HostileProject, is_utf8


def pairs_of(rows: list[dict[str, Any]], key: str = "image") -> list[tuple[int, str]]:
    """Return (image number, caption) of rows with a column of captions for each name."""
    return sorted((row[key], row[name]) for row in rows for name in NAMES if row.get(name))


@pytest.mark.parametrize("options", [("link",), ("copy",), ("link", "--quality-columns")])
def test_an_image_folder(
    call: Call,
    export_to: Call,
    hostile: HostileProject,
    tmp_path: Path,
    options: tuple[str, ...],
) -> None:
    out = export_to("hf", "--format", "hf", "--images", *options)
    rows = call(
        "datasets_reader", "rows", kind="imagefolder", cache=str(tmp_path), data_dir=str(out.path)
    )
    assert pairs_of(rows) == hostile.pairs(keep=is_utf8, any_path=True)


def test_an_image_folder_whose_images_stay_where_they_are(
    call: Call, export_to: Call, hostile: HostileProject, tmp_path: Path
) -> None:
    """metadata.jsonl is put into the folder from which the paths start. `datasets` looks for a
    path with a backslash as if that were a slash."""
    out = export_to("hf", "--format", "hf", "--images", "none")
    for folder in FOLDERS:
        shutil.copytree(hostile.root / folder, tmp_path / "root" / folder)
    shutil.copy(out.path / "metadata.jsonl", tmp_path / "root")
    rows = call(
        "datasets_reader",
        "rows",
        kind="imagefolder",
        cache=str(tmp_path / "cache"),
        data_dir=str(tmp_path / "root"),
    )
    assert pairs_of(rows) == [
        pair for pair in hostile.pairs(keep=is_utf8) if "\\" not in hostile.images[pair[0]]
    ]


@pytest.mark.parametrize(
    ("name", "format", "kind"),
    [("out.parquet", "parquet", "parquet"), ("out.jsonl", "columns", "json")],
)
@pytest.mark.parametrize("options", [(), ("--quality-columns",)])
def test_a_column_a_model(
    call: Call,
    export_to: Call,
    hostile: HostileProject,
    tmp_path: Path,
    name: str,
    format: str,
    kind: str,
    options: tuple[str, ...],
) -> None:
    out = export_to(name, "--format", format, "--image-root", hostile.root, *options)
    rows = call("datasets_reader", "rows", kind=kind, cache=str(tmp_path), data_files=str(out.path))
    for row in rows:
        row["image"] = hostile.number_at(row["image"])
    assert pairs_of(rows) == hostile.pairs(keep=is_utf8)


@pytest.mark.parametrize("format", ["json", "jsonl"])
def test_a_row_a_caption(
    call: Call, export_to: Call, hostile: HostileProject, tmp_path: Path, format: str
) -> None:
    """`datasets` refuses a file with a lone surrogate as a whole. json and jsonl keep every text,
    as upstream's do, so they are read here without the lines that have one."""
    out = export_to(f"out.{format}", "--format", format, "--image-root", hostile.root).path
    lines = out.read_bytes().splitlines(keepends=True)
    clean = tmp_path / out.name
    clean.write_bytes(
        b"".join(line for line in lines if not re.search(rb"\\ud[89c]\w\w[^\\]", line))
    )
    rows = call("datasets_reader", "rows", kind="json", cache=str(tmp_path), data_files=str(clean))
    pairs = sorted((hostile.number_at(row["image"]), row["caption"]) for row in rows)
    assert pairs == hostile.pairs(keep=is_utf8)


@pytest.mark.parametrize("options", [(), ("--encode", "jpg:90")])
def test_tars(
    call: Call, export_to: Call, hostile: HostileProject, tmp_path: Path, options: tuple[str, ...]
) -> None:
    """`datasets` takes the columns from the first samples: all images need one suffix."""
    out = export_to("tars", "--format", "wds", *options)
    arguments = {"kind": "webdataset", "cache": str(tmp_path), "data_files": out.tars}
    if not options:
        with pytest.raises(AssertionError):
            call("datasets_reader", "rows", **arguments)
        return
    rows = call("datasets_reader", "rows", **arguments)
    pairs = [(row["jpg"], row["json"][name]) for row in rows for name in NAMES]
    assert sorted(pair for pair in pairs if pair[1]) == hostile.pairs(keep=is_utf8, any_path=True)
    assert sorted((row["jpg"], row["txt"]) for row in rows) == hostile.first_captions(is_utf8)


def test_parquet_with_the_images_in_it(
    call: Call, export_to: Call, hostile: HostileProject, tmp_path: Path
) -> None:
    """The folder is read as the Hub does, by its dataset card."""
    out = export_to("hub", "--format", "hub", "--uid", "--captions-list", "--quality-columns")
    rows = call("datasets_reader", "rows", kind=str(out.path), cache=str(tmp_path))
    assert pairs_of(rows) == hostile.pairs(keep=is_utf8, any_path=True)
    listed = sorted((row["image"], text) for row in rows for text in row["captions"])
    assert listed == hostile.pairs(keep=is_utf8, any_path=True)
    assert len({row["uid"] for row in rows}) == len(rows)


@pytest.mark.parametrize("format", ["messages", "trl"])
def test_conversations(
    call: Call, export_to: Call, hostile: HostileProject, tmp_path: Path, format: str
) -> None:
    out = export_to("out.jsonl", "--format", format, "--image-root", hostile.root)
    rows = call("datasets_reader", "conversations", path=str(out.path), cache=str(tmp_path))
    pairs = sorted((number, answer) for number, answer in rows)
    assert pairs == hostile.pairs(keep=lambda text: is_utf8(text) and "<image>" not in text)
