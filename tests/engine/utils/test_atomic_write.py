"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path
from typing import NoReturn

import pytest

from engine.utils import atomic_write as module
from engine.utils.atomic_write import atomic_write, write_beside
from engine.utils.errors import BadInput


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The paths that were handed to `sync_to_disk`, in order."""
    paths: list[Path] = []
    monkeypatch.setattr(module, "sync_to_disk", paths.append)
    return paths


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_old_content_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    out = tmp_path / "out.txt"
    out.write_text("old")
    with write_beside(out) as part:
        part.write_text("new")
        assert out.read_text() == "old"
    assert out.read_text() == "new"
    assert names(tmp_path) == {"out.txt"}


@pytest.mark.parametrize(("sync", "count"), [(True, 1), (False, 0)])
def test_the_file_is_synced_before_it_is_renamed(
    tmp_path: Path, synced: list[Path], sync: bool, count: int
) -> None:
    with write_beside(tmp_path / "out.txt", sync) as part:
        part.write_text("new")
    assert synced == [part] * count


@pytest.mark.parametrize("error", [OSError("no"), ValueError("no"), KeyboardInterrupt()])
def test_after_an_error_nothing_is_left(tmp_path: Path, error: BaseException) -> None:
    out = tmp_path / "out.txt"
    out.write_text("old")
    with pytest.raises(type(error)), write_beside(out) as part:
        part.write_text("new")
        raise error
    assert out.read_text() == "old"
    assert names(tmp_path) == {"out.txt"}


def test_of_two_writers_at_once_each_one_is_whole(tmp_path: Path) -> None:
    out = tmp_path / "out.txt"
    with write_beside(out) as first:
        with write_beside(out) as second:
            first.write_text("first")
            second.write_text("second")
        assert out.read_text() == "second"
    assert out.read_text() == "first"
    assert names(tmp_path) == {"out.txt"}


def test_what_killed_processes_left_is_removed(tmp_path: Path) -> None:
    """Only by whoever has the lock of the name, and nothing of another name."""
    (tmp_path / "o[u]t.0123abcd.part").mkdir()
    (tmp_path / "o[u]t.0123abcd.part" / "rest").write_text("rest")
    (tmp_path / ".o[u]t.lock").write_text("")
    others = {"out.0123abcd.part", "o[u]t.mine.part", "o[u]t.json.0123abcd.part"}
    for name in others:
        (tmp_path / name).write_text("other")
    with atomic_write(tmp_path / "o[u]t") as part:
        part.write_text("new")
    assert names(tmp_path) == {"o[u]t", *others}


@pytest.mark.parametrize("is_folder", [False, True])
def test_one_at_a_time_writes_what_a_person_named(tmp_path: Path, is_folder: bool) -> None:
    out = tmp_path / "out"
    with atomic_write(out) as part:
        part.mkdir() if is_folder else part.write_text("first")
        with (
            pytest.raises(BadInput, match=f"{out} is being written by another command"),
            atomic_write(out, replace=True),
        ):
            raise AssertionError("the second one must not begin")
        assert part.exists(), "and it takes nothing from the first one"
    assert names(tmp_path) == {"out"}


def test_where_no_lock_works_the_results_are_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    out = tmp_path / "out"
    with atomic_write(out, replace=True) as first:
        first.write_text("first")
        with atomic_write(out) as second:
            second.write_text("second")
    assert out.read_text() == "first"
    assert names(tmp_path) == {"out"}


def test_a_file_that_is_there_stays_unless_it_may_be_replaced(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.write_text("old")
    with pytest.raises(BadInput, match=f"{out} exists: name another"), atomic_write(out):
        raise AssertionError("nothing begins")
    assert out.read_text() == "old"
    with atomic_write(out, replace=True) as part:
        part.write_text("new")
    assert out.read_text() == "new"
    out.unlink()
    with pytest.raises(BadInput, match="exists"), atomic_write(out) as part:
        part.write_text("newer")
        out.write_text("made by another program meanwhile")
    assert out.read_text() == "made by another program meanwhile"
    assert names(tmp_path) == {"out"}


def test_what_is_refused_is_refused_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock beside a device, for one, cannot be made by everybody: its error would say less."""

    def no_lock(out: Path) -> NoReturn:
        raise AssertionError(f"{out} is locked")

    monkeypatch.setattr("engine.utils.atomic_write.output_lock", no_lock)
    (tmp_path / "out").touch()
    for out in (tmp_path / "out", Path("/dev/stdout")):
        with pytest.raises(BadInput, match="name "), atomic_write(out):
            raise AssertionError("nothing begins")


@pytest.mark.parametrize("replace", [False, True])
def test_a_device_or_a_pipe_is_not_replaced(tmp_path: Path, replace: bool) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "null").symlink_to("/dev/null")
    for name in ("pipe", "null", "/dev/null", "/dev/stdout"):
        with (
            pytest.raises(BadInput, match=r"is a device|exists"),
            atomic_write(tmp_path / name, replace),
        ):
            raise AssertionError("nothing begins")
    assert (tmp_path / "null").is_symlink()


def test_an_error_about_another_file_names_that_one(tmp_path: Path) -> None:
    gone = tmp_path / "gone.jsonl"
    with (
        pytest.raises(BadInput, match=rf"^{gone}: No such file .*out was not written$"),
        atomic_write(tmp_path / "out"),
    ):
        gone.read_bytes()


def test_a_folder_takes_the_place_of_an_empty_one_only(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with atomic_write(out) as part:
        part.mkdir()
        (part / "a").write_text("a")
    assert names(out) == {"a"}
    with pytest.raises(BadInput, match=r"cannot write .*not empty"), atomic_write(out) as part:
        part.mkdir()
    assert names(tmp_path) == {"out"}
    assert names(out) == {"a"}


def test_what_the_disk_refuses_is_one_message(tmp_path: Path) -> None:
    out = tmp_path / "none" / "out.txt"
    with (
        pytest.raises(BadInput, match=f"cannot write {out}: No such file or directory"),
        atomic_write(out) as part,
    ):
        part.write_text("new")


def test_every_regular_file_of_a_folder_is_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "folder" / "inner").mkdir(parents=True)
    files = [tmp_path / "folder" / "a", tmp_path / "folder" / "inner" / "b"]
    for file in files:
        file.write_text("x")
    (tmp_path / "folder" / "link").symlink_to("nowhere")
    inodes: set[int] = set()
    monkeypatch.setattr(os, "fsync", lambda handle: inodes.add(os.fstat(handle).st_ino))
    module.sync_to_disk(tmp_path / "folder")
    assert inodes == {file.stat().st_ino for file in files}
