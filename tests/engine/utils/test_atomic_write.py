"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

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


def test_what_an_earlier_process_left_is_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / "out.part").mkdir()
    (tmp_path / "out.part" / "rest").write_text("rest")
    with write_beside(tmp_path / "out") as part:
        part.write_text("new")
    assert (tmp_path / "out").read_text() == "new"


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
