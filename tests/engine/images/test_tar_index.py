"""The index of a tar: joined archives, names that occur several times, links; and addresses."""

from __future__ import annotations

import io
import random
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.images.image import ImageProblem, read_image_bytes
from engine.images.tar_index import as_path, read_index
from engine.images.tar_members import find_position, index_tar, member_address
from tests.support.tars import BLOCK, END, header, member, padded


def archive_bytes(names: list[str]) -> bytes:
    """Return an archive of files, each of which holds its name.."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name in names:
            each = tarfile.TarInfo(name)
            each.size = len(name)
            tar.addfile(each, io.BytesIO(name.encode()))
    return out.getvalue()


def hard_link(name: str, target: str) -> bytes:
    link = tarfile.TarInfo(name)
    link.type, link.linkname = tarfile.LNKTYPE, target
    return link.tobuf(tarfile.GNU_FORMAT)


def read_all(path: Path) -> list[tuple[str, bytes]]:
    """Return address and content of every file, each read by its address."""
    index = read_index(str(path))
    addresses = [member_address(index, position) for position in range(len(index))]
    index_tar.cache_clear()
    return [(address, read_image_bytes(f"{path}/{address}")) for address in addresses]


@pytest.mark.parametrize(
    "parts",
    [
        [archive_bytes(["0.jpg"]), archive_bytes(["1.jpg"])],
        [member("0.jpg", b"0.jpg") + END, member("1.jpg", b"1.jpg") + END],
        [archive_bytes([]), archive_bytes(["0.jpg"]), archive_bytes([]), archive_bytes(["1.jpg"])],
        [archive_bytes(["0.jpg"]), member("1.jpg", b"1.jpg") + END, archive_bytes([])],
    ],
    ids=["padded", "not padded", "empty ones", "mixed"],
)
def test_joined_archives_are_read_as_one(tmp_path: Path, parts: list[bytes]) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(b"".join(parts))
    assert read_all(path) == [("0.jpg", b"0.jpg"), ("1.jpg", b"1.jpg")]
    index = read_index(str(path))
    assert index.damage is None
    assert index.archive(1) > index.archive(0)


def test_what_follows_an_archive_must_be_one(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(archive_bytes(["0.jpg"]) + b"<html>")
    damage = read_index(str(path)).damage
    assert damage is not None and damage.offset == tarfile.RECORDSIZE
    path.write_bytes(archive_bytes(["0.jpg"]) + bytes(BLOCK) + archive_bytes(["1.jpg"]))
    assert read_index(str(path)).damage is not None


def test_a_name_that_occurs_several_times_has_an_address_for_each(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    contents = [("0.jpg", b"red"), ("./0.jpg", b"green"), ("b/1.jpg", b"blue"), ("0.jpg", b"white")]
    path.write_bytes(b"".join(member(*content) for content in contents) + END)
    assert read_all(path) == [
        ("@1/0.jpg", b"red"),
        ("@2/./0.jpg", b"green"),
        ("b/1.jpg", b"blue"),
        ("0.jpg", b"white"),
    ]
    assert read_index(str(path)).repeated() == {0, 1, 3}
    assert read_image_bytes(f"{path}/@1/b/1.jpg") == b"blue"
    for absent in ("@4/0.jpg", "@0/0.jpg", "@2/b/1.jpg", "@/0.jpg", "@1/"):
        with pytest.raises(ImageProblem) as caught:
            read_image_bytes(f"{path}/{absent}")
        assert caught.value.kind == "missing"


def test_a_folder_called_like_a_count(tmp_path: Path) -> None:
    path = tmp_path / "A.TAR"
    contents = [("0.jpg", b"red"), ("@1/0.jpg", b"folder"), ("0.jpg", b"green")]
    path.write_bytes(b"".join(member(*content) for content in contents) + END)
    assert read_all(path) == [
        ("@@1/0.jpg", b"red"),
        ("@1/0.jpg", b"folder"),
        ("0.jpg", b"green"),
    ]


def test_hard_links_have_the_content_of_their_target(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    first = member("a.jpg", b"one") + hard_link("b.jpg", "a.jpg") + hard_link("c.jpg", "./b.jpg")
    second = member("a.jpg", b"two") + hard_link("d.jpg", "a.jpg")
    path.write_bytes(first + second + hard_link("lost.jpg", "e.jpg") + member("e.jpg") + END)
    index = read_index(str(path))
    contents = {
        index.name(position): read_image_bytes(f"{path}/{index.name(position)}")
        for position in range(len(index))
        if position not in index.lost_links
    }
    assert [contents[f"{name}.jpg"] for name in "bcd"] == [b"one", b"one", b"two"]
    assert [index.name(position) for position in index.lost_links] == ["lost.jpg"]
    with pytest.raises(ImageProblem, match="no such file"):
        read_image_bytes(f"{path}/lost.jpg")


def test_a_link_does_not_lead_into_another_archive(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(member("a.jpg") + END + hard_link("b.jpg", "a.jpg") + END)
    assert read_index(str(path)).lost_links == {1}


def test_what_is_no_file_is_no_member(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    link = tarfile.TarInfo("s.jpg")
    link.type, link.linkname = tarfile.SYMTYPE, "a.jpg"
    parts = [header("f/", 0, b"5"), link.tobuf(), header("p.jpg", 0, b"6"), member("a.jpg")]
    path.write_bytes(b"".join(parts) + END)
    index = read_index(str(path))
    assert [index.name(0), len(index), index.symbolic_links] == ["a.jpg", 1, ["s.jpg"]]


def test_names_that_are_not_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    raw = header("x" * 9, 3)
    named = b"lat\xe9n.jpg".ljust(9, b"\0") + raw[9:]
    total = sum(named[:148]) + 8 * 32 + sum(named[156:])
    named = named[:148] + b"%06o\0 " % total + named[156:]
    path.write_bytes(named + padded(b"abc") + END)
    assert read_all(path) == [("lat\udce9n.jpg", b"abc")]


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield tmp_path_factory.mktemp("tars") / "a.tar"


@given(
    st.lists(st.sampled_from(["a.jpg", "./a.jpg", "b.jpg", "c/b.jpg", "@1/a.jpg"]), max_size=12),
    st.randoms(use_true_random=False),
)
def test_every_address_leads_to_its_own_file(
    scratch: Path, names: list[str], rng: random.Random
) -> None:
    parts = [member(name, b"%d" % number) for number, name in enumerate(names)]
    cut = rng.randrange(len(parts) + 1)
    scratch.write_bytes(b"".join(parts[:cut]) + END + b"".join(parts[cut:]) + END)
    index = read_index(str(scratch))
    assert [index.name(position) for position in range(len(index))] == names
    data = scratch.read_bytes()
    last = {as_path(name): number for number, name in enumerate(names)}
    for position, name in enumerate(names):
        found = find_position(index, member_address(index, position))
        assert found == position
        offset, size = index.span(position)
        assert data[offset : offset + size] == b"%d" % position
        # The plain name means the last file: what was addressed so before stays what it is.
        assert find_position(index, name) == last[as_path(name)]
