"""Whether a caption log still is what was read back when its task was done."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from db.rows import TaskRow
from engine.project import finished_log
from engine.project.caption_log import read
from engine.project.damage import Damage
from engine.project.finished_log import (
    damage_of,
    is_unchanged,
    log_damage,
    read_if_unchanged,
    recorded_bytes,
)
from engine.project.log_rows import digest
from engine.project.shard_file import shard_damage

DATA = (
    b'{"i":1,"raw":"b","tokens":1,"finish":"stop"}\n'
    b'{"i":0,"error":"missing","detail":""}\n'
    b'{"i":0,"raw":"a","tokens":1,"finish":"length"}\n'
)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "00000.jsonl"
    path.write_bytes(DATA)
    return path


@pytest.fixture
def task(log: Path) -> TaskRow:
    return TaskRow(
        id=1,
        shard=0,
        model_id=1,
        count=2,
        state="done",
        rows=3,
        log_bytes=len(DATA),
        log_mtime_ns=log.stat().st_mtime_ns,
        digest=digest(DATA),
    )


def touch(log: Path) -> None:
    os.utime(log, ns=(1, 1))


def cut_at_the_same_time(log: Path) -> None:
    status = log.stat()
    log.write_bytes(DATA[:-1])
    os.utime(log, ns=(status.st_atime_ns, status.st_mtime_ns))


def change_a_letter(log: Path) -> None:
    log.write_bytes(DATA.replace(b"length", b"lengtH"))
    touch(log)


def change_a_letter_at_the_same_time(log: Path) -> None:
    status = log.stat()
    log.write_bytes(DATA.replace(b'"b"', b'"c"'))
    os.utime(log, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda log: None, None),
        (touch, None),
        (change_a_letter, "was changed after its task was done"),
        (cut_at_the_same_time, "was changed after its task was done"),
        (lambda log: log.unlink(), "is missing, but its task is done"),
    ],
)
def test_a_changed_or_missing_log_is_noticed(
    log: Path, task: TaskRow, change: Callable[[Path], object], message: str | None
) -> None:
    change(log)
    assert is_unchanged(log, task) == (message is None)
    damage = damage_of(log, read(log, task.count), task)
    assert (recorded_bytes(log, task) is None) == (message is not None)
    if message is None:
        assert damage is None
    else:
        assert damage == log_damage(log, task)
        assert str(damage) == f"{log} {message}"
    assert damage_of(log, read(log, task.count), replace(task, state="pending")) is None


def test_a_change_that_keeps_size_and_time_shows_when_the_log_is_read(
    log: Path, task: TaskRow
) -> None:
    change_a_letter_at_the_same_time(log)
    assert is_unchanged(log, task)
    assert damage_of(log, read(log, task.count), task) is not None
    assert recorded_bytes(log, task) is None


def test_what_is_appended_is_damage_behind_the_recorded_part(log: Path, task: TaskRow) -> None:
    log.write_bytes(DATA + b'{"i": 0, "raw": "to')
    assert damage_of(log, read(log, task.count), task) is not None
    assert recorded_bytes(log, task) == DATA


def test_the_digest_is_computed_only_if_the_time_differs(
    log: Path, task: TaskRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    monkeypatch.setattr(finished_log, "file_digest", read.append)
    assert is_unchanged(log, task)
    assert not read
    assert not is_unchanged(log, replace(task, log_mtime_ns=2))
    assert read == [log]


def test_captions_are_read_only_from_an_unchanged_log(log: Path, task: TaskRow) -> None:
    assert read_if_unchanged(log, task.digest or "", task.rows) == [
        (1, "b", "stop"),
        (0, "a", "length"),
    ]
    assert read_if_unchanged(log, "other", task.rows) is None
    assert read_if_unchanged(log, task.digest or "", task.rows + 1) is None
    log.unlink()
    with pytest.raises(FileNotFoundError):
        read_if_unchanged(log, task.digest or "", task.rows)


@pytest.mark.parametrize("damage", [log_damage, lambda path, task: shard_damage(path, task.shard)])
def test_a_pipe_in_the_place_of_a_file_is_named(
    damage: Callable[[Path, TaskRow], Damage], log: Path, task: TaskRow
) -> None:
    log.unlink()
    os.mkfifo(log)
    assert damage(log, task).text == "is a pipe: remove it"
