"""Files that are opened without following a link, and without waiting at a pipe."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from engine.utils import plain_files
from engine.utils.log_rotation import rotate_log
from engine.utils.plain_files import NotPlain
from engine.utils.tail import Tail

SECRET = b"not of this project\n" * 100


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder outside of the project, with one file."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "file").write_bytes(SECRET)
    return folder


@pytest.fixture
def inside(tmp_path: Path) -> Path:
    folder = tmp_path / "inside"
    folder.mkdir()
    return folder


def replace_file(path: Path) -> None:
    with plain_files.replacing(path) as file:
        file.write(b"new")


USES: dict[str, Callable[[Path], object]] = {
    "read": plain_files.read_bytes,
    "open for reading": lambda path: plain_files.open_stream(path, "rb"),
    "open for changing": lambda path: plain_files.open_stream(path, "r+b"),
    "open for appending": lambda path: plain_files.open_stream(path, "ab"),
    "make": lambda path: plain_files.open_file(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
    "replace": replace_file,
    "tail": lambda path: Tail(path).read(),
    "rotate": lambda path: rotate_log(path, 10),
}
"""The ways to a file: each must refuse what is no file."""


def link_to_file(path: Path, outside: Path) -> None:
    path.symlink_to(outside / "file")


def dangling_link(path: Path, outside: Path) -> None:
    path.symlink_to(outside / "not there yet")


def link_to_device(path: Path, outside: Path) -> None:
    path.symlink_to("/dev/zero")


def pipe(path: Path, outside: Path) -> None:
    os.mkfifo(path)


def unix_socket(path: Path, outside: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # the address of a socket is short
    try:
        with closing(socket.socket(socket.AF_UNIX)) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


def tree(folder: Path) -> list[tuple[str, int, bytes]]:
    """Return names, times of the last write and contents of all that is below a folder."""
    return [
        (str(path), path.lstat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in sorted(folder.rglob("*"))
    ]


@pytest.mark.parametrize("use", USES.values(), ids=USES)
@pytest.mark.parametrize(
    "make",
    [link_to_file, dangling_link, link_to_device, pipe, unix_socket],
    ids=lambda it: it.__name__,
)
def test_what_is_no_file_is_refused(
    inside: Path,
    outside: Path,
    use: Callable[[Path], object],
    make: Callable[[Path, Path], None],
) -> None:
    path, before = inside / "file", tree(outside)
    make(path, outside)
    with pytest.raises(NotPlain, match=r"is a (symbolic link|pipe|device or a socket): "):
        use(path)
    assert tree(outside) == before
    assert [each.name for each in inside.iterdir()] == ["file"]


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_link_on_the_way_is_refused(
    inside: Path, outside: Path, use: Callable[[Path], object]
) -> None:
    (inside / "folder").symlink_to(outside)
    before = tree(outside)
    with pytest.raises(NotPlain, match="move the whole project and link to its folder"):
        use(inside / "folder/file")
    assert tree(outside) == before


@pytest.mark.parametrize(
    "use",
    [
        lambda path: plain_files.make_folder(path / "new"),
        lambda path: plain_files.names_in(path),
        lambda path: plain_files.names_in(path / "inner"),
        lambda path: plain_files.remove_files(path, ["file"]),
        lambda path: plain_files.open_folder(path),
    ],
    ids=["make", "list", "list below", "remove", "open"],
)
def test_a_folder_behind_a_link_is_refused(
    inside: Path, outside: Path, use: Callable[[Path], object]
) -> None:
    (outside / "inner").mkdir()
    (inside / "folder").symlink_to(outside)
    before = tree(outside)
    with pytest.raises(NotPlain):
        use(inside / "folder")
    assert tree(outside) == before


def test_removing_takes_the_link_and_not_its_target(inside: Path, outside: Path) -> None:
    (inside / "link").symlink_to(outside / "file")
    (inside / "file").write_text("x")
    plain_files.remove_files(inside, ["link", "file", "missing"])
    assert list(inside.iterdir()) == []
    assert (outside / "file").read_bytes() == SECRET


def test_plain_files_and_folders_are_used_as_ever(inside: Path) -> None:
    path = inside / "a/b/file"
    plain_files.make_folder(path.parent)
    plain_files.make_folder(path.parent)
    with plain_files.open_stream(path, "ab") as file:
        file.write(b"one\n")
    os.link(path, inside / "another name")
    assert plain_files.read_bytes(inside / "another name") == b"one\n", "a hard link is a file"
    replace_file(path)
    assert plain_files.read_bytes(path) == b"new"
    assert plain_files.status(path).st_size == 3
    assert plain_files.names_in(path.parent) == ["file"]
    assert plain_files.names_in(inside / "missing") == []


@pytest.mark.parametrize("use", [USES["read"], USES["open for changing"], USES["tail"]])
def test_a_missing_file_is_missing(inside: Path, use: Callable[[Path], object]) -> None:
    for path in (inside / "file", inside / "folder/file"):
        with pytest.raises(FileNotFoundError):
            use(path)


def test_a_file_in_the_place_of_a_folder(inside: Path) -> None:
    (inside / "folder").write_text("x")
    with pytest.raises(NotADirectoryError):
        plain_files.read_bytes(inside / "folder/file")


def test_no_descriptor_is_left_open(inside: Path, outside: Path) -> None:
    (inside / "link").symlink_to(outside)
    before = len(list(Path("/dev/fd").iterdir()))
    for use in USES.values():
        with pytest.raises(OSError):
            use(inside / "link/file")
    assert len(list(Path("/dev/fd").iterdir())) == before


def test_a_file_of_a_size_that_no_file_here_has_is_not_read(inside: Path) -> None:
    with (inside / "file").open("wb") as file:
        file.truncate(plain_files.MAX_BYTES + 1)
    with pytest.raises(OSError, match="2,147,483,649 bytes are too many"):
        plain_files.read_bytes(inside / "file")


def test_nothing_is_left_of_a_file_that_could_not_be_written(inside: Path) -> None:
    path = inside / "file"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), plain_files.replacing(path) as file:
        file.write(b"new")
        raise ZeroDivisionError
    assert [each.name for each in inside.iterdir()] == ["file"]
    assert path.read_text() == "old"
