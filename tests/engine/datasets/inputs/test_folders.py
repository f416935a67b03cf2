"""Folders as inputs: captions beside images, metadata files, tars; what is hidden stays out."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from engine.datasets.inputs.input_report import BadRecord, InputReport
from engine.datasets.inputs.open_input import InputSource, read_input
from engine.images.formats import image_suffixes
from engine.utils.errors import BadInput
from tests.support.cli import cli, cli_ok
from tests.support.pictures import colour_jpeg
from tests.support.tars import END, member


def make(folder: Path, files: str | dict[str, str]) -> None:
    """Write files with these texts; `files` may be names alone, with blanks between."""
    texts = dict.fromkeys(files.split(), "") if isinstance(files, str) else files
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def read(
    folder: Path, report: InputReport | None = None, root: Path | None = None
) -> dict[str, str]:
    """Return the caption of each image, in order."""
    batches = read_input(InputSource(path=folder, root=root or folder), report)
    records = [record for batch in batches for record in batch.records()]
    found = {record.image: record.caption for record in records}
    assert len(found) == len(records)
    return found


def counts(report: InputReport) -> dict[str, int]:
    """Return how often something was passed over, by the first word of the reason."""
    return {reason.split()[0]: passed.count for reason, passed in report.passed_over.items()}


def test_captions_beside_images_by_all_usual_names(tmp_path: Path) -> None:
    make(
        tmp_path,
        {
            "0.jpg": "", "0.txt": "a", "1.jpg": "", "1.jpg.txt": "b\n", "2.PNG": "",
            "2.caption": "c", "3.webp": "", "3.json": '{"caption": "d"}', "4.jpg": "",
            "4.jpg.json": '{"text": ["e", "f"]}', "p.v2.jpg": "", "p.v2.text": "g",
            "sub/0.jpg": "", "sub/0.TXT": "h", "9.jpg": "",
        },
    )  # fmt: skip
    report = InputReport()
    assert read(tmp_path, report) == {
        "0.jpg": "a", "1.jpg": "b", "2.PNG": "c", "3.webp": "d", "4.jpg": "e", "9.jpg": "",
        "p.v2.jpg": "g", "sub/0.jpg": "h",
    }  # fmt: skip
    assert (report.records, report.captioned) == (8, 7)
    assert counts(report) == {"further": 1}


def test_the_first_caption_counts_and_the_next_one_where_it_is_empty(tmp_path: Path) -> None:
    make(tmp_path, {"0.jpg": "", "0.json": '"j"', "0.txt": "t", "0.jpg.txt": "f", "0.caption": "c"})
    make(tmp_path, {"1.jpg": "", "1.txt": " ", "1.json": '"j"'})
    report = InputReport()
    assert read(tmp_path, report) == {"0.jpg": "t", "1.jpg": "j"}
    assert counts(report) == {"further": 2}


@pytest.mark.parametrize(
    "suffix", [".jfif", ".jpe", ".pgm", ".pnm", ".j2k", ".ico", ".qoi", ".mpo"]
)
def test_every_suffix_of_a_format_that_is_read(tmp_path: Path, suffix: str) -> None:
    make(tmp_path, {f"0{suffix}": "", f"1{suffix.upper()}": "", "0.txt": "a"})
    assert read(tmp_path) == {f"0{suffix}": "a", f"1{suffix.upper()}": ""}


@pytest.mark.skipif(".heic" in image_suffixes(), reason="the extra heic is installed")
def test_other_files_are_counted_and_named(tmp_path: Path) -> None:
    make(tmp_path, "0.jpg 1.heic 1.txt 2.jxl 3.svg notes.md lonely.txt labels.csv noending")
    report = InputReport()
    assert read(tmp_path, report) == {"0.jpg": ""}
    heic, jxl = "images in HEIC, which is not read", "images in JPEG XL, which is not read"
    assert {heic, jxl} <= report.passed_over.keys()
    assert "pip install" in report.passed_over[heic].advice
    assert (counts(report)["files"], counts(report)["tables"]) == (3, 1)
    assert report.passed_over["captions without an image of the same name"].count == 1


def test_archives_are_named_with_what_to_do(tmp_path: Path) -> None:
    make(tmp_path, "a.tar.gz b.zip")
    with pytest.raises(BadInput, match=r"compressed archives \(2, such as .*a\.tar\.gz\): unpack"):
        read(tmp_path)
    (tmp_path / "0.tar").write_bytes(member("0.jpg") + END)
    report = InputReport()
    assert read(tmp_path, report) == {"0.tar/0.jpg": ""}
    assert counts(report) == {"compressed": 2}


def test_images_that_share_a_caption_are_said(tmp_path: Path) -> None:
    make(tmp_path, {"0.jpg": "", "0.png": "", "0.txt": "a", "1.jpg": "", "1.png": ""})
    report = InputReport()
    assert read(tmp_path, report) == {"0.jpg": "a", "0.png": "a", "1.jpg": "", "1.png": ""}
    (note,) = report.notes
    assert "1 image with the same caption" in note
    assert "0.png" in note


def test_what_is_hidden_or_a_systems_own_is_left_out(tmp_path: Path) -> None:
    make(
        tmp_path,
        "0.jpg ._0.jpg .DS_Store .git/a.jpg __MACOSX/0.jpg @eaDir/0.jpg/t.jpg sub/.cache/a.jpg"
        " .ipynb_checkpoints/0-checkpoint.jpg #recycle/a.jpg .cache/huggingface/x.jpg Thumbs.db"
        " sub/@eaDir/1.jpg sub/1.jpg",
    )
    report = InputReport()
    assert read(tmp_path, report) == {"0.jpg": "", "sub/1.jpg": ""}
    assert counts(report) == {"hidden": 11}
    hidden = tmp_path / ".git"
    assert read(hidden) == {"a.jpg": ""}, "a person may name a hidden folder"


def test_links_that_lead_back_are_not_followed(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    make(folder, "0.jpg a/1.jpg b/2.jpg")
    links = {"self": ".", "a/up": "..", "a/b": "../b", "b/a": "../a", "above": "../..", "0": "b"}
    for link, target in links.items():
        (folder / link).symlink_to(target)
    report = InputReport()
    assert list(read(folder, report)) == ["0.jpg", "a/1.jpg", "b/2.jpg"]
    assert counts(report) == {"links": 6}


def test_links_to_other_folders_and_files_are_followed_once(tmp_path: Path) -> None:
    disk, folder = tmp_path / "disk", tmp_path / "images"
    make(disk, "x/1.jpg x/deep/2.jpg")
    make(folder, ".store/3.jpg")
    (folder / "part0").symlink_to(disk / "x")
    (folder / "part1").symlink_to(disk / "x" / "deep")
    (folder / "part2").symlink_to(".store")
    (disk / "x" / "back").symlink_to(folder)
    (folder / "linked.jpg").symlink_to(disk / "x" / "1.jpg")
    report = InputReport()
    expected = ["linked.jpg", "part0/1.jpg", "part0/deep/2.jpg", "part2/3.jpg"]
    assert list(read(folder, report)) == expected
    assert counts(report) == {"hidden": 1, "links": 2}


def test_a_caption_that_cannot_be_read_is_the_trouble_of_its_record_alone(tmp_path: Path) -> None:
    make(tmp_path, "0.jpg 1.jpg 2.jpg 3.jpg 4.jpg 5.jpg")
    (tmp_path / "1.txt").write_bytes(b"caf\xe9")
    (tmp_path / "2.json").write_text("{")
    (tmp_path / "3.txt").mkdir()
    os.mkfifo(tmp_path / "4.txt")
    (tmp_path / "5.txt").symlink_to("nowhere")
    with pytest.raises(BadRecord, match=r"1\.txt is not UTF-8 at byte 3: save it as UTF-8"):
        read(tmp_path)
    report = InputReport(skip_bad=True)
    assert list(read(tmp_path, report)) == ["0.jpg", "3.jpg"]
    assert report.skipped.count == 4


def test_names_that_are_not_utf_8(tmp_path: Path) -> None:
    name = os.fsdecode(b"lat\xe9n")
    (tmp_path / f"{name}.jpg").write_bytes(colour_jpeg("red"))
    (tmp_path / f"{name}.txt").write_text("a")
    assert read(tmp_path) == {f"{name}.jpg": "a"}
    cli_ok("new", tmp_path / "run", tmp_path, "--model", "dry-run", "--check-images")


def test_a_folder_that_cannot_be_read_is_no_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, "0.jpg a/1.jpg b/2.jpg")
    scandir = os.scandir

    def refuse(path: str | Path) -> object:
        if str(path).endswith("/a"):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)  # root may read every folder
    with pytest.raises(BadRecord, match=r"cannot read .*/a: Permission denied"):
        read(tmp_path)
    report = InputReport(skip_bad=True)
    assert list(read(tmp_path, report)) == ["0.jpg", "b/2.jpg"]
    assert report.skipped.count == 1


# Metadata files


def rows(names: str, column: str = "text") -> str:
    return "".join(json.dumps({"file_name": n, column: f"of {n}"}) + "\n" for n in names.split())


def test_metadata_in_folders_of_splits(tmp_path: Path) -> None:
    make(tmp_path, "train/0.jpg train/1.jpg train/deep/2.jpg test/0.jpg val/0.jpg loose/5.jpg")
    make(tmp_path, {"train/metadata.jsonl": rows("0.jpg deep/2.jpg")})
    make(tmp_path, {"test/metadata.csv": "file_name,text\n0.jpg,a test\n"})
    report = InputReport()
    assert read(tmp_path, report) == {
        "loose/5.jpg": "",
        "test/0.jpg": "a test",
        "train/0.jpg": "of 0.jpg",
        "train/deep/2.jpg": "of deep/2.jpg",
        "val/0.jpg": "",
    }
    assert counts(report) == {"images": 1}
    unnamed = report.passed_over["images that the metadata file does not name"]
    assert unnamed.example == str(tmp_path / "train/1.jpg")


def test_metadata_in_parquet(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    make(tmp_path, "train/0.jpg train/1.jpg")
    columns = {"file_name": ["0.jpg", "1.jpg"], "text": ["a", None]}
    parquet.write_table(arrow.table(columns), tmp_path / "train/metadata.parquet")
    assert read(tmp_path) == {"train/0.jpg": "a", "train/1.jpg": ""}


def test_what_lies_beside_a_metadata_file_is_counted(tmp_path: Path) -> None:
    make(tmp_path, {"metadata.jsonl": rows("0.jpg"), "metadata.csv": "", "0.jpg": "", "0.txt": "a"})
    make(tmp_path, {"sub/1.jpg": "", "sub/1.json": "{}", "notes.md": ""})
    report = InputReport()
    assert read(tmp_path, report) == {"0.jpg": "of 0.jpg"}
    assert counts(report) == {"images": 1, "texts": 2, "tables": 1, "files": 1}


def test_metadata_with_paths_of_windows(tmp_path: Path) -> None:
    make(tmp_path, {"metadata.jsonl": rows("sub\\0.jpg"), "sub/0.jpg": ""})
    report = InputReport()
    assert read(tmp_path, report) == {"sub/0.jpg": "of sub\\0.jpg"}
    assert not report.passed_over


def test_one_metadata_file_for_all_folders_below_it(tmp_path: Path) -> None:
    make(tmp_path, {"metadata.jsonl": rows("a/0.jpg ./b/1.jpg"), "a/0.jpg": "", "b/1.jpg": ""})
    make(tmp_path, {"c/2.jpg": "", "d/metadata.jsonl": rows("3.jpg"), "d/3.jpg": ""})
    report = InputReport()
    found = read(tmp_path, report)
    assert list(found.values()) == ["of a/0.jpg", "of ./b/1.jpg", "of 3.jpg"]
    assert counts(report) == {"images": 1}


def test_metadata_without_captions_names_the_keys(tmp_path: Path) -> None:
    make(tmp_path, {"0.jpg": "", "metadata.jsonl": rows("0.jpg", column="prompt_x")})
    done = cli("new", tmp_path / "run", tmp_path, "--model", "dry-run")
    assert done.returncode == 0
    assert (
        "no record has an original caption: keys are file_name, prompt_x; name one" in done.stderr
    )
    assert "original captions: 0 of 1 record\n" in done.stdout


# Tars


def test_tars_in_folders_of_splits(tmp_path: Path) -> None:
    for split in ("train", "val"):
        (tmp_path / split).mkdir()
        tar = member("0.jpg") + member("0.txt", split.encode()) + END
        (tmp_path / split / "0.tar").write_bytes(tar)
    make(tmp_path, "train/0_stats.json train/unpacked/0.jpg extra/1.jpg")
    report = InputReport()
    assert read(tmp_path, report) == {
        "extra/1.jpg": "", "train/0.tar/0.jpg": "train", "val/0.tar/0.jpg": "val",
    }  # fmt: skip
    assert counts(report) == {"files": 2}


def test_a_folder_without_records_is_refused(tmp_path: Path) -> None:
    make(tmp_path, ".hidden/0.jpg notes.md")
    with pytest.raises(BadInput, match="holds no images"):
        read(tmp_path)
