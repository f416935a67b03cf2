"""Damaged tars as inputs: refused with their place, or left out from there on, and counted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.datasets.inputs.input_report import BadRecord, InputReport
from engine.datasets.inputs.open_input import InputSource, read_input
from engine.utils.errors import BadInput
from tests.support.tars import END, base_256, member, with_size

SOUND = member("0.jpg") + member("0.txt", b"a cat")
DAMAGE = with_size(base_256(-512))


def read(path: Path, report: InputReport | None = None) -> list[tuple[str, str]]:
    batches = read_input(InputSource(path=path, root=path.parent), report)
    return [(record.image, record.caption) for batch in batches for record in batch.records()]


def test_a_damaged_tar_is_refused_with_file_and_offset(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(SOUND + DAMAGE + END)
    with pytest.raises(BadRecord) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: not a sound tar: ")
    assert f"(at byte {len(SOUND):,})" in str(caught.value)


def test_what_follows_the_damage_is_left_out_with_the_record_before_it(tmp_path: Path) -> None:
    """The text of the last record may be after the damage."""
    folder = tmp_path / "tars"
    folder.mkdir()
    (folder / "a.tar").write_bytes(SOUND + member("1.jpg") + DAMAGE + member("2.jpg") + END)
    (folder / "b.tar").write_bytes(DAMAGE)
    (folder / "c.tar").write_bytes(member("3.jpg") + END)
    report = InputReport(skip_bad=True)
    assert read(folder, report) == [("tars/a.tar/0.jpg", "a cat"), ("tars/c.tar/3.jpg", "")]
    a, one, b = report.skipped.messages
    assert report.skipped.count == 3
    assert "a.tar: not a sound tar: " in a and "b.tar: not a sound tar: " in b
    assert "the rest of it is left out, 2,560 bytes with 2 files" in a
    assert one.endswith("a.tar/1.jpg: its caption may be after the damage")


def test_a_text_that_cannot_be_read_is_left_out_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    broken = member("1.jpg") + member("1.txt", b"caf\xe9")
    path.write_bytes(SOUND + broken + member("2.jpg") + END)
    report = InputReport(skip_bad=True)
    assert [image for image, _ in read(path, report)] == ["a.tar/0.jpg", "a.tar/2.jpg"]
    assert report.skipped.count == 1 and "a.tar/1.txt is not UTF-8" in report.skipped.messages[0]
    with pytest.raises(BadRecord, match="not UTF-8"):
        read(path)


def test_a_pipe_in_place_of_a_tar_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.tar")
    for path in (tmp_path / "a.tar", tmp_path):
        with pytest.raises(BadInput, match="not a regular file"):
            read(path)
