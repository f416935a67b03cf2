"""Images inside of tars, addressed as if the tar were a folder."""

from __future__ import annotations

import os
import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from engine.images.image import ImageProblem, read_image_bytes
from engine.images.tar_members import find_member, read_member


def write_tar(path: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, BytesIO(data))
        link = tarfile.TarInfo("link.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "a.jpg"
        tar.addfile(link)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "00000.tar"
    write_tar(path, {"./a.jpg": b"first", "inner/b.jpg": b"second", "x.tar/c.jpg": b"third"})
    return path


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.jpg", b"first"),
        ("./a.jpg", b"first"),
        ("inner/b.jpg", b"second"),
        ("inner/../a.jpg", b"first"),
        ("x.tar/c.jpg", b"third"),
    ],
)
def test_a_member_is_found_by_its_name(archive: Path, name: str, data: bytes) -> None:
    member = find_member(f"{archive}/{name}")
    assert member is not None
    assert (member.archive, read_member(member)) == (str(archive), data)
    assert read_image_bytes(f"{archive}/{name}") == data


@pytest.mark.parametrize("name", ["absent.jpg", "inner", "link.jpg", ""])
def test_what_is_no_file_in_the_tar_is_missing(archive: Path, name: str) -> None:
    assert find_member(f"{archive}/{name}") is None
    if name:
        with pytest.raises(ImageProblem) as caught:
            read_image_bytes(f"{archive}/{name}")
        assert caught.value.kind == "missing"


def test_a_folder_whose_name_ends_like_a_tar(tmp_path: Path) -> None:
    (tmp_path / "photos.tar").mkdir()
    write_tar(tmp_path / "photos.tar" / "0.tar", {"a.jpg": b"inside"})
    assert read_image_bytes(f"{tmp_path}/photos.tar/0.tar/a.jpg") == b"inside"
    assert find_member(f"{tmp_path}/none.tar/a.jpg") is None


def test_a_tar_that_was_replaced_is_indexed_again(archive: Path) -> None:
    assert read_image_bytes(f"{archive}/a.jpg") == b"first"
    write_tar(archive, {"b.jpg": b"new", "a.jpg": b"newer"})
    os.utime(archive, ns=(1, 1))
    assert read_image_bytes(f"{archive}/a.jpg") == b"newer"


def test_a_damaged_tar_is_unreadable(archive: Path) -> None:
    archive.write_bytes(b"x" * 2000)
    with pytest.raises(ImageProblem) as caught:
        read_image_bytes(f"{archive}/a.jpg")
    assert caught.value.kind == "unreadable"
