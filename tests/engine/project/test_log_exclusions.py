"""A caption log with records that a person excluded or took back in."""

from __future__ import annotations

from pathlib import Path

from engine.project import caption_log
from engine.project.caption_log import CaptionLog
from engine.protocol.caption_row import CaptionRow, ErrorRow


def test_a_log_with_exclusions_read_again(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log = CaptionLog(path, 4)
    log.append([ErrorRow(0, "missing", "x"), ErrorRow(1, "corrupt")])
    assert log.exclude([0, 1]) == 2
    assert (log.left, log.failed) == (2, 2)
    assert log.append([CaptionRow(0, "late", 1, "stop")]) == 0
    log.close()
    again = CaptionLog(path, 4, "failed", path.stat().st_size)
    assert [again.missing(i) for i in range(4)] == [False, False, True, True]
    assert again.exclude([1], exclude=False) == 1
    again.close()
    assert caption_log.read(path, 4).errors[1].error == "readmitted"
    last = CaptionLog(path, 4, "failed", path.stat().st_size)
    assert [last.missing(i) for i in range(4)] == [False, True, True, True]
    last.close()


def test_a_record_that_was_not_asked_for_yet(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log = CaptionLog(path, 3)
    log.append([CaptionRow(0, "x", 1, "stop")])
    assert log.exclude([0, 1, 3, -1]) == 1  # not what has a caption, nor what is none
    assert (log.left, log.failed, log.errors[1].error) == (1, 1, "excluded")
    assert log.exclude([1, 2], exclude=False) == 1
    assert (log.left, log.missing(1), log.missing(2)) == (1, False, True)
    log.close()
    again = CaptionLog(path, 3)
    assert [again.missing(i) for i in range(3)] == [False, False, True]
    again.close()
