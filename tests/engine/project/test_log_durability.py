"""The caption log: what outlives a power cut, and from when on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.project.caption_log import CaptionLog, DiskFull
from engine.protocol.caption_row import CaptionRow


def row(i: int) -> CaptionRow:
    return CaptionRow(i, "a dog. It", 3, "stop")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "captions" / "model" / "00000.jsonl"


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The inodes of the files and folders that were synced, in order."""
    inodes: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda handle: inodes.append(os.fstat(handle).st_ino))
    return inodes


def inodes_of(path: Path) -> list[int]:
    """Return what must be synced for a log to be certain: the file and both folders' entries."""
    return [each.stat().st_ino for each in (path, path.parent, path.parent.parent)]


def test_a_sync_covers_the_file_and_the_entries_that_lead_to_it(
    path: Path, synced: list[int]
) -> None:
    log = CaptionLog(path, 4)
    log.append([row(0)])
    log.sync()
    assert synced == inodes_of(path)
    log.append([row(1)])
    log.sync()
    assert synced == [*inodes_of(path), path.stat().st_ino]
    log.sync()
    log.close()
    assert len(synced) == 4


@pytest.mark.parametrize("rows", [[], [row(0), row(1)]], ids=["nothing", "rows"])
def test_the_first_sync_covers_what_a_killed_process_left_unsynced(
    path: Path, synced: list[int], rows: list[CaptionRow]
) -> None:
    killed = CaptionLog(path, 4)
    killed.append(rows)
    killed.close()
    log = CaptionLog(path, 4)
    log.append([row(2)])
    log.sync()
    log.close()
    assert synced == inodes_of(path)


def test_rows_that_were_there_are_synced_without_a_new_one(path: Path, synced: list[int]) -> None:
    killed = CaptionLog(path, 4)
    killed.append([row(0)])
    killed.close()
    log = CaptionLog(path, 4)
    log.sync()
    log.close()
    assert synced == inodes_of(path)


def test_a_torn_tail_is_gone_for_good_before_a_row_follows(path: Path, synced: list[int]) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(b'{"i":0,"raw":"a cat wi')
    log = CaptionLog(path, 4)
    assert synced == [path.stat().st_ino]
    assert path.read_bytes() == b""
    log.append([row(1)])
    log.close()


def test_a_short_write_is_taken_back_for_good(
    path: Path, synced: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    log = CaptionLog(path, 4)
    write = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: write(handle, data[:7]))
    with pytest.raises(DiskFull):
        log.append([row(0)])
    monkeypatch.undo()
    assert synced == [path.stat().st_ino]
    assert path.read_bytes() == b""
    log.append([row(1)])
    log.close()
    assert CaptionLog(path, 4).rows == 1


def test_no_descriptor_is_left_if_a_tail_cannot_be_cut(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(b"torn")
    open_before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 (fewer descriptors of its own)

    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output"):
        CaptionLog(path, 4)
    assert len(os.listdir("/proc/self/fd")) == open_before  # noqa: PTH208
