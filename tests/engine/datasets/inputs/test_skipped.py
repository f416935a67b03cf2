"""`--skip-bad` leaves out what cannot be read, with a message each, and nothing else."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.datasets.inputs import lenient_jsonl
from engine.datasets.inputs.input_report import BadRecord, InputReport
from engine.datasets.inputs.open_input import InputSource, read_input
from engine.utils.errors import BadInput
from tests.support.cli import cli, cli_ok
from tests.support.pictures import make_captions

GOOD = [json.dumps({"image": f"{n}.png", "caption": f"line {n}"}).encode() for n in range(4)]
BAD_LINES = {
    b'{"image": "x.png", "capt': "not JSON",
    b'{"caption": "no image"}': "no 'image'",
    b'{"image": 7}': "'image' must be a path",
    b"[1, 2]": "not an",
    b'{"image": "\xff.png"}': "not UTF-8",
    b"<html>": "not JSON",
    b"[" * 100_000: "nested too deeply",
}


def read(path: Path, report: InputReport | None = None) -> list[str] | None:
    batches = read_input(InputSource(path=path, root=path.parent), report)
    return [record.image for batch in batches for record in batch.records()]


@pytest.mark.parametrize("bad", BAD_LINES, ids=BAD_LINES.values())
@pytest.mark.parametrize("index", [0, 2, 4])
def test_a_damaged_line_is_left_out(tmp_path: Path, bad: bytes, index: int) -> None:
    path = tmp_path / "captions.jsonl"
    path.write_bytes(b"\n".join([*GOOD[:index], bad, *GOOD[index:]]) + b"\n")
    report = InputReport(skip_bad=True)
    if bad.startswith(b"[") and index == 0:  # what begins like an array is read as one
        with pytest.raises(BadInput):
            read(path, report)
        return
    assert read(path, report) == [f"{n}.png" for n in range(4)]
    assert report.skipped.count == 1
    assert f"line {index + 1}: " in report.skipped.messages[0]
    assert BAD_LINES[bad] in report.skipped.messages[0]
    with pytest.raises(BadInput):
        read(path)


def test_values_of_an_array_that_are_no_records_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "captions.json"
    values = [json.loads(GOOD[0]), 7, {"caption": "x"}, json.loads(GOOD[1]), {"image": None}]
    path.write_text(json.dumps(values))
    report = InputReport(skip_bad=True)
    assert read(path, report) == ["0.png", "1.png"]
    assert report.skipped.count == 3
    with pytest.raises(BadRecord, match="record 1: not an"):
        read(path)


DAMAGES = {
    b"oops": "not JSON",
    b'{"image": "x.png, "caption": "no quotation mark"}': "not JSON",
    b'{"image": "x.png" "caption": "no comma"}': "not JSON",
    b'{"image": "x.png"} {"image": "y.png"}': "a comma is missing after record",
    b'"image": "x.png"}': 'not an object with "image" and "caption" but "image"',
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("index", [0, 2, 4])
@pytest.mark.parametrize("separator", [b",", b", ", b",\n  "])
def test_what_is_damaged_in_an_array_is_left_out(
    tmp_path: Path, damage: bytes, index: int, separator: bytes
) -> None:
    path = tmp_path / "captions.json"
    path.write_bytes(b"[" + separator.join([*GOOD[:index], damage, *GOOD[index:]]) + b"]")
    with pytest.raises(BadRecord, match=DAMAGES[damage]):
        read(path)
    report = InputReport(skip_bad=True)
    images = read(path, report) or []
    assert 1 <= report.skipped.count <= 3
    assert DAMAGES[damage] in report.skipped.messages[0]
    lost = [n for n in range(4) if f"{n}.png" not in images]
    assert len(lost) <= 1, "no more than the record after the damage"
    assert [image for image in images if image != "x.png"] == [
        f"{n}.png" for n in range(4) if n not in lost
    ]


@pytest.mark.parametrize("bad", ["only one cell", "a,b,c,d", ",no image", "nul\0.png,x"])
def test_a_line_of_csv_is_left_out(tmp_path: Path, bad: str) -> None:
    path = tmp_path / "captions.csv"
    path.write_text(f"image,caption\n0.png,zero\n{bad}\n1.png,one\n")
    report = InputReport(skip_bad=True)
    assert read(path, report) == ["0.png", "1.png"]
    assert report.skipped.count == 1
    assert "line 3" in report.skipped.messages[0]


def test_rows_of_parquet_without_an_image_are_left_out(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "captions.parquet"
    images = ["0.png", None, "", "1.png"]
    parquet.write_table(pyarrow.table({"image": images, "caption": ["x"] * 4}), path)
    report = InputReport(skip_bad=True)
    assert read(path, report) == ["0.png", "1.png"]
    messages = report.skipped.messages
    assert [message.rpartition("(in ")[2] for message in messages] == [
        "row 1)",
        "row 2)",
    ]


def test_a_line_without_end_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lenient_jsonl, "READ_BYTES", 64)
    monkeypatch.setattr(lenient_jsonl, "LONGEST_RECORD", 500)
    path = tmp_path / "captions.jsonl"
    path.write_bytes(b"\n".join([GOOD[0], b'{"image": "' + b"x" * 5000, *GOOD[1:]]))
    report = InputReport(skip_bad=True)
    assert read(path, report) == [f"{n}.png" for n in range(4)]
    assert "line 2: a line of more than 500 bytes" in report.skipped.messages[0]


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(8, 400))
def test_every_good_line_is_read_and_every_bad_one_counted(
    tmp_path_factory: pytest.TempPathFactory, good: list[bool], block: int
) -> None:
    if not any(good):
        return
    path = tmp_path_factory.mktemp("lines") / "captions.jsonl"
    lines = [json.dumps({"image": f"{n}.png"}) if it else "{" for n, it in enumerate(good)]
    path.write_text("\n".join(lines))
    report = InputReport(skip_bad=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lenient_jsonl, "READ_BYTES", block)
        assert read(path, report) == [f"{n}.png" for n, it in enumerate(good) if it]
    assert report.skipped.count == good.count(False)


def test_new_reports_what_it_left_out_and_advises_the_option(tmp_path: Path) -> None:
    captions = make_captions(tmp_path / "data", 3)
    records = json.loads(captions.read_text())
    lines = tmp_path / "data" / "captions.jsonl"
    lines.write_text("\n".join([json.dumps(records[0]), "{broken", *map(json.dumps, records[1:])]))
    project = tmp_path / "run"
    refused = cli("new", project, lines, "--model", "dry-run")
    assert refused.returncode == 2
    assert "--skip-bad leaves out what cannot be read" in refused.stderr
    assert not project.exists()
    made = cli("new", project, lines, "--model", "dry-run", "--skip-bad", "--shards", 2)
    assert made.returncode == 0
    assert "3 records in 2 shards" in made.stdout
    assert "left out as unreadable: 1 record" in made.stderr
    assert "line 2: not JSON" in made.stderr
    cli_ok("run", project, "--devices", "cpu")

    nothing = tmp_path / "nothing.jsonl"
    nothing.write_text("{\n[\n")
    refused = cli("new", tmp_path / "none", nothing, "--model", "dry-run", "--skip-bad")
    assert refused.returncode == 2
    assert "holds no record" in refused.stderr


FORMS = {
    "a.json": lambda records: json.dumps(records),
    "data.json": lambda records: json.dumps({"data": records}),
    "paths.json": lambda records: json.dumps({r["image"]: r["caption"] for r in records}),
    "a.jsonl": lambda records: "\n".join(map(json.dumps, records)),
    "a.csv": lambda records: (
        "image,caption\n" + "\n".join(map(",".join, map(dict.values, records)))
    ),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("codec", ["gzip", "zstd"])
def test_a_compressed_file_that_is_cut_short_keeps_its_whole_records(
    tmp_path: Path, form: str, codec: str
) -> None:
    noise = random.Random(0)
    count = 1000 if codec == "gzip" else 8000  # zstd loses its last block, of 128 KiB of text
    records = [
        {"image": f"{n}.jpg", "caption": f"cap {noise.getrandbits(200):x}"} for n in range(count)
    ]
    text = FORMS[form](records).encode()
    if codec == "gzip":
        data = gzip.compress(text, mtime=0)
    else:
        arrow = pytest.importorskip("pyarrow")
        data = arrow.compress(text, "zstd", asbytes=True)
    path = tmp_path / f"{form}.{codec}"
    path.write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(BadRecord, match=r"cut short, and its text ends \(at byte [\d,]+\): fetch"):
        read(path)
    report = InputReport(skip_bad=True)
    images = read(path, report) or []
    assert images == [f"{n}.jpg" for n in range(len(images))]
    assert len(images) > count // 3
    (message,) = report.skipped.messages
    ends = int(message.partition("(at byte ")[2].partition(")")[0].replace(",", ""))
    whole = text[:ends].count(b".jpg") - 1
    assert whole <= len(images) <= whole + 1
