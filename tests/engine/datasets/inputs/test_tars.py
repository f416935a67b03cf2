"""Tars as inputs: each image once, at its own place, with its own caption; the rest is counted."""

from __future__ import annotations

import json
import os
import tarfile
import tracemalloc
from pathlib import Path

import pytest

from engine.datasets.inputs.input_report import BadRecord, InputReport
from engine.datasets.inputs.open_input import InputSource, read_input
from engine.datasets.inputs.read_options import ReadOptions
from engine.images.image import open_image, read_image_bytes
from engine.utils.errors import BadInput
from tests.support.cli import cli_ok
from tests.support.pictures import colour_jpeg
from tests.support.tars import END, base_256, header, member, with_size

RED, GREEN, BLUE = (colour_jpeg(colour) for colour in ("red", "green", "blue"))
DAMAGE = with_size(base_256(-512))


def write(path: Path, *members: tuple[str, bytes]) -> Path:
    path.write_bytes(b"".join(member(*each) for each in members) + END)
    return path


def read(path: Path, report: InputReport | None = None, **options: str) -> dict[str, str]:
    """Return the caption of each image; the names of images are without the tar's."""
    source = InputSource(path=path, root=path.parent, options=ReadOptions(**options))  # type: ignore[arg-type]
    records = [record for batch in read_input(source, report) for record in batch.records()]
    start = f"{path.name}/"
    found = {record.image.removeprefix(start): record.caption for record in records}
    assert len(found) == len(records)
    return found


def test_members_belong_together_wherever_they_lie(tmp_path: Path) -> None:
    first = [("0.jpg", RED), ("1.jpg", GREEN), ("p.v2.jpg", BLUE)]
    texts = [("p.v2.txt", b"two"), ("1.txt", b"one"), ("0.txt", b"null")]
    captions = {"0.jpg": "null", "1.jpg": "one", "p.v2.jpg": "two"}
    assert read(write(tmp_path / "a.tar", *first, *texts)) == captions
    joined = tmp_path / "b.tar"
    joined.write_bytes(
        write(tmp_path / "images.tar", *first).read_bytes()
        + write(tmp_path / "texts.tar", *texts).read_bytes()
    )
    report = InputReport()
    assert read(joined, report) == captions
    assert report.notes == [f"{joined}: 2 archives joined in one tar; all are read"]


def test_one_name_twice_is_two_records_each_with_its_own_pixels(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.tar",
        *[("0.jpg", RED), ("0.txt", b"red"), ("1.jpg", BLUE), ("1.txt", b"blue")],
        *[("0.jpg", GREEN), ("0.txt", b"green")],
    )
    found = read(path)
    assert found == {"@1/0.jpg": "red", "1.jpg": "blue", "0.jpg": "green"}
    for image, colour in found.items():
        assert read_image_bytes(f"{path}/{image}") == colour_jpeg(colour)


def test_a_run_and_an_export_keep_images_of_one_name_apart(tmp_path: Path) -> None:
    tar = tmp_path / "a.tar"
    write(tar, ("0.jpg", RED), ("0.txt", b"red"), ("0.jpg", GREEN), ("0.txt", b"green"))
    cli_ok("new", tmp_path / "run", tar, "--model", "dry-run")
    cli_ok("run", tmp_path / "run", "--devices", "cpu")
    options = ("--format", "wds", "--with-original")
    cli_ok("export", tmp_path / "run", tmp_path / "out", *options)
    out = tmp_path / "out" / "00000.tar"
    assert read(out) == {"000000000.jpg": "red", "000000001.jpg": "green"}
    for key, colour in (("000000000", "red"), ("000000001", "green")):
        assert read_image_bytes(f"{out}/{key}.jpg") == colour_jpeg(colour)


@pytest.mark.parametrize(
    ("name", "data", "caption"),
    [
        ("0.txt", b"\xef\xbb\xbf cap \n", "cap"),
        ("0.caption", b"cap", "cap"),
        ("0.text", "é".encode(), "é"),
        ("0.json", b'{"caption": "cap"}', "cap"),
        ("0.json", b'\xef\xbb\xbf{"text": "cap"}', "cap"),
        ("0.json", b'{"key": 7, "caption_0": "cap"}', "cap"),
        ("0.json", b'{"caption": ["cap", "b"]}', "cap"),
        ("0.json", b'["cap"]', "cap"),
        ("0.json", b'"cap"', "cap"),
        ("0.json", b'{"conversations": [{"from": "gpt", "value": "cap"}]}', "cap"),
        ("0.json", b'{"caption": null}', ""),
        ("0.json", b"7", ""),
    ],
)
def test_captions_of_every_usual_kind(tmp_path: Path, name: str, data: bytes, caption: str) -> None:
    assert read(write(tmp_path / "a.tar", (name, data), ("0.jpg", RED))) == {"0.jpg": caption}


def test_a_caption_under_a_key_that_a_person_names(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tar", ("0.jpg", RED), ("0.json", b'{"caption": "a", "blip": "b"}'))
    assert read(path, caption_column="blip") == {"0.jpg": "b"}
    path = write(tmp_path / "b.tar", ("0.jpg", RED), ("0.json", b'{"words": "b", "id": 1}'))
    report = InputReport()
    assert read(path, report) == {"0.jpg": ""}
    assert report.uncaptioned_keys == ["words", "id"]
    assert sum(passed.count for passed in report.passed_over.values()) == 1


def test_an_empty_text_leaves_the_place_to_the_next_one(tmp_path: Path) -> None:
    texts = [("0.txt", b" \n"), ("0.json", b'{"caption": "cap"}')]
    assert read(write(tmp_path / "a.tar", ("0.jpg", RED), *texts)) == {"0.jpg": "cap"}


def test_everything_that_is_no_record_is_counted(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.tar",
        *[("0.jpg", RED), ("0.txt", b"a"), ("0.caption", b"b"), ("0.json", b"{}"), ("0.cls", b"7")],
        *[("0.seg.png", RED), ("1.img", GREEN), ("1.txt", b"one"), ("2.txt", b"alone")],
        *[("._0.jpg", b"attributes"), ("__MACOSX/0.jpg", b"x"), ("a/.git/0.jpg", b"x")],
        ("3.cls", b"7"),
    )
    report = InputReport()
    assert read(path, report) == {"0.jpg": "a", "1.img": "one"}
    counts = {reason.split()[0]: passed.count for reason, passed in report.passed_over.items()}
    further = [reason for reason in report.passed_over if reason.startswith("further")]
    assert len(further) == 2
    assert counts == {"further": 1, "files": 2, "captions": 1, "hidden": 3}
    assert all(str(path) in passed.example for passed in report.passed_over.values())


def test_a_tar_that_is_damaged_keeps_all_whole_records_before_the_damage(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    whole = [("0.jpg", RED), ("0.txt", b"a"), ("1.jpg", GREEN), ("1.txt", b"b")]
    path.write_bytes(b"".join(member(*each) for each in whole) + DAMAGE + END)
    report = InputReport(skip_bad=True)
    assert read(path, report) == {"0.jpg": "a", "1.jpg": "b"}
    assert report.skipped.count == 1
    with pytest.raises(BadRecord, match="not a sound tar"):
        read(path)


def test_without_captions_no_image_before_the_damage_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(member("0.jpg", RED) + member("1.jpg", GREEN) + DAMAGE + END)
    report = InputReport(skip_bad=True)
    assert read(path, report) == {"0.jpg": "", "1.jpg": ""}


def test_in_any_order_every_missing_caption_may_stand_behind_the_damage(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    names = [("0.jpg", RED), ("1.jpg", GREEN), ("2.jpg", BLUE), ("1.txt", b"one")]
    path.write_bytes(b"".join(member(*each) for each in names) + DAMAGE + END)
    report = InputReport(skip_bad=True)
    assert read(path, report) == {"1.jpg": "one"}
    assert report.skipped.count == 3


def test_a_tar_without_images_is_refused_alone_and_counted_in_a_folder(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tar", ("0.txt", b"a"))
    with pytest.raises(BadInput, match="holds no images"):
        read(path)
    write(tmp_path / "b.tar", ("0.jpg", RED))
    report = InputReport()
    assert read(tmp_path, report) == {"b.tar/0.jpg": ""}
    assert report.passed_over["tars without images"].count == 1


def test_hard_links_are_read_as_their_targets(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    links = [("1.jpg", "0.jpg"), ("1.txt", "0.txt"), ("2.jpg", "lost.jpg")]
    headers = []
    for name, target in links:
        link = tarfile.TarInfo(name)
        link.type, link.linkname = tarfile.LNKTYPE, target
        headers.append(link.tobuf(tarfile.GNU_FORMAT))
    files = member("0.jpg", RED) + member("0.txt", b"red")
    path.write_bytes(files + b"".join(headers) + END)
    report = InputReport()
    assert read(path, report) == {"0.jpg": "red", "1.jpg": "red"}
    assert read_image_bytes(f"{path}/1.jpg") == RED
    assert report.passed_over["hard links to files that are not in the tar"].count == 1


def test_a_tar_that_cannot_be_read_is_left_out_alone(tmp_path: Path) -> None:
    write(tmp_path / "b.tar", ("0.jpg", RED))
    os.mkfifo(tmp_path / "a.tar")
    report = InputReport(skip_bad=True)
    assert read(tmp_path, report) == {"b.tar/0.jpg": ""}
    assert "a.tar: not a regular file" in report.skipped.messages[0]


def test_a_caption_of_gigabytes_is_a_bad_record(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with path.open("wb") as file:
        file.write(member("0.jpg", RED) + header("0.txt", 2**28))
        file.seek(2**28, 1)
        file.write(END)
    tracemalloc.start()
    try:
        with pytest.raises(BadRecord):
            read(path)
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()


def test_new_says_what_it_has_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tar", ("0.jpg", RED), ("1.jpg", GREEN), ("2.txt", b"alone"))
    done = cli_ok("new", tmp_path / "run", path, "--model", "dry-run")
    assert "original captions: 0 of 2 records" in done
    shard = (tmp_path / "run/shards/00000.jsonl").read_text().splitlines()
    assert [json.loads(line)["image"] for line in shard] == ["a.tar/0.jpg", "a.tar/1.jpg"]
    assert open_image(f"{path}/0.jpg").width == 8
