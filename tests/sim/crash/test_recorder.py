"""The recorder: every way in which Python changes files, and what came by another way."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.utils import plain_files
from engine.utils.atomic_write import write_beside
from tests.sim.crash.operations import Disk
from tests.sim.crash.recorder import Recorder


def beside(folder: Path) -> None:
    with write_beside(folder / "file") as part:
        part.write_text("new")


def by_descriptors(folder: Path) -> None:
    plain_files.make_folder(folder / "a" / "b")
    with plain_files.replacing(folder / "a" / "b" / "file") as file:
        file.write(b"new")
    plain_files.remove_files(folder, ["file"])


def in_place(folder: Path) -> None:
    with (folder / "file").open("r+b") as file:
        file.seek(2)
        file.write(b"NEW")
        file.truncate(4)


def by_the_system(folder: Path) -> None:
    handle = os.open(folder / "file", os.O_WRONLY | os.O_APPEND)
    os.write(handle, b"more")
    os.close(handle)
    handle = os.open(folder / "file", os.O_WRONLY)
    os.pwrite(handle, b"x", 0)
    os.ftruncate(handle, 3)
    os.close(handle)
    os.truncate(folder / "file", 2)
    os.link(folder / "file", folder / "other")


def a_tree(folder: Path) -> None:
    (folder / "tree" / "deep").mkdir(parents=True)
    (folder / "tree" / "deep" / "leaf").write_text("leaf")
    (folder / "file").rename(folder / "renamed")
    (folder / "tree" / "deep" / "leaf").unlink()
    (folder / "tree" / "deep").rmdir()


@pytest.mark.parametrize("change", [beside, by_descriptors, in_place, by_the_system, a_tree])
def test_what_is_recorded_is_what_happened(tmp_path: Path, change: Callable[[Path], None]) -> None:
    (tmp_path / "file").write_bytes(b"an old file")
    disk = Disk({"file": 1}, {1: b"an old file"})
    recorder = Recorder(tmp_path)
    with recorder.installed(), recorder.record(disk) as operations:
        change(tmp_path)
    assert operations
    for operation in operations:
        disk = disk.after(operation)
    assert recorder.missed(disk) == set()


def test_what_another_program_did_is_missed(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    with recorder.installed(), recorder.record(Disk()):
        subprocess.run(["/bin/sh", "-c", f"echo > '{tmp_path}/unseen'"], check=True)
    assert recorder.missed(Disk()) == {"unseen"}


def test_nothing_is_recorded_of_other_folders(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "project")
    with recorder.installed(), recorder.record(Disk()) as operations:
        (tmp_path / "project-too").mkdir()
        (tmp_path / "project-too" / "file").write_text("elsewhere")
    assert operations == []
