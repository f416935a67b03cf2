"""The caption log: what outlives a power cut, and from when on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.project import caption_log
from engine.project.caption_log import CaptionLog, DiskFull
from engine.protocol.caption_row import CaptionRow, ErrorRow


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


def test_the_first_sync_covers_the_empty_file_that_a_killed_process_left(
    path: Path, synced: list[int]
) -> None:
    CaptionLog(path, 4).close()
    log = CaptionLog(path, 4)
    log.append([row(2)])
    log.sync()
    log.close()
    assert synced == inodes_of(path)


def test_an_opening_writes_and_syncs_the_rows_that_were_there(
    path: Path, synced: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = CaptionLog(path, 4)
    killed.append([row(0)])
    killed.close()
    written: list[tuple[bytes, int]] = []
    pwrite = os.pwrite

    def write(handle: int, data: bytes, offset: int) -> int:
        assert synced == []
        written.append((data, offset))
        return pwrite(handle, data, offset)

    monkeypatch.setattr(os, "pwrite", write)
    log = CaptionLog(path, 4)
    log.close()
    assert written == [(path.read_bytes(), 0)]
    assert synced == inodes_of(path)


def test_an_opening_syncs_foreign_lines_too_lest_they_become_zeros_before_a_row(
    path: Path, synced: list[int]
) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(b"a line of somebody else\n")
    log = CaptionLog(path, 4)
    assert (log.rows, log.foreign) == (0, 1)
    assert synced == inodes_of(path)
    log.close()


def fail(*_: object) -> None:
    raise OSError(5, "Input/output error")


@pytest.mark.parametrize("first", [True, False], ids=["the first sync", "a later sync"])
def test_a_failed_sync_takes_back_what_it_did_not_reach(
    path: Path, monkeypatch: pytest.MonkeyPatch, first: bool
) -> None:
    log = CaptionLog(path, 4)
    if not first:
        log.append([row(0), ErrorRow(1, "corrupt", "no image")])
        log.sync()
    before, data, errors = log.counts, path.read_bytes(), dict(log.errors)
    log.append([row(2), ErrorRow(3, "corrupt", "no image")])
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="Input/output"):
            log.sync()
    assert (log.counts, path.read_bytes(), log.errors) == (before, data, errors)
    assert log.missing(2) and log.missing(3)
    assert log.append([row(2)]) == 1
    log.sync()
    log.close()
    assert CaptionLog(path, 4).counts == log.counts


def test_a_cut_that_cannot_be_synced_costs_the_unsynced_rows_before_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = CaptionLog(path, 4)
    log.append([row(0)])
    log.sync()
    log.append([row(1)])
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", fail)
        patch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="Input/output"):
            log.append([row(2)])
    assert (log.rows, log.captioned, log.missing(1)) == (1, 1, True)
    assert set(caption_log.read(path, 4).captions) == {0}
    log.append([row(3)])
    log.sync()
    assert set(caption_log.read(path, 4).captions) == {0, 3}


def test_rows_stay_in_a_folder_that_was_moved_before_the_first_sync(path: Path) -> None:
    log = CaptionLog(path, 4)
    log.append([row(0)])
    moved = path.parent.parent.rename(path.parent.parent.with_name("elsewhere"))
    with pytest.raises(FileNotFoundError):
        log.sync()
    assert log.rows == 1
    assert set(caption_log.read(moved / path.parent.name / path.name, 4).captions) == {0}


def test_rows_that_could_not_be_taken_back_are_not_counted_and_go_before_the_next_row(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = CaptionLog(path, 4)
    log.append([row(0)])
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        patch.setattr(os, "ftruncate", fail)
        with pytest.raises(OSError, match="Input/output"):
            log.sync()
    assert (log.rows, log.captioned, log.left, log.size) == (0, 0, 4, 0)
    assert CaptionLog(path, 4).rows == 1  # the next opening counts what stands there
    log.append([row(1)])
    assert set(caption_log.read(path, 4).captions) == {1}


def test_a_whole_row_of_a_write_that_failed_goes_before_the_next_row(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = CaptionLog(path, 4)
    lines = caption_log.to_lines([row(0)])
    write = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda handle, data: write(handle, data[: len(lines)]))
        patch.setattr(os, "ftruncate", fail)
        with pytest.raises(OSError, match="Input/output"):
            log.append([row(0), row(1)])
    assert path.read_bytes() == lines
    assert (log.rows, log.left) == (0, 4)
    log.append([row(0), row(2)])
    assert caption_log.read(path, 4).rows == log.rows == 2


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

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output"):
        CaptionLog(path, 4)
    assert len(os.listdir("/proc/self/fd")) == open_before  # noqa: PTH208
