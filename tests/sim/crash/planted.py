"""Planted bugs: faults that the product does not have, each of which the exploration must find.

Each is a patch of the product's code, by the name of what is wrong.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import msgspec

from engine.project import caption_log, log_rows
from engine.project.caption_log import CaptionLog
from engine.project.layout import Project
from engine.project.log_rows import LogContents
from engine.state import reconcile

Patch = AbstractContextManager[Any]

real_init = CaptionLog.__init__
real_parse_log = log_rows.parse_log
real_cut = CaptionLog.cut
real_to_lines = caption_log.to_lines
real_catch_up = reconcile.catch_up


def init_with(change: Callable[[CaptionLog], object]) -> Patch:
    """Have something done to every log that is opened."""

    def init(log: CaptionLog, *arguments: Any) -> None:
        real_init(log, *arguments)
        change(log)

    return patch.object(CaptionLog, "__init__", init)


def init_with_sync(sync: Callable[[CaptionLog], object]) -> Patch:
    """Have every log that is opened synced in another way then, and as ever afterwards."""

    def init(log: CaptionLog, *arguments: Any) -> None:
        with patch.object(CaptionLog, "sync", sync):
            real_init(log, *arguments)

    return patch.object(CaptionLog, "__init__", init)


def nothing_is_synced() -> Patch:
    return patch.object(CaptionLog, "sync", lambda _: None)


def folders_are_not_synced() -> Patch:
    return patch.object(caption_log, "sync_folder", lambda _: None)


def what_a_killed_process_left_is_not_synced() -> Patch:
    return init_with_sync(lambda log: setattr(log, "unsynced", 0))


def entries_of_a_log_that_exists_are_not_synced() -> Patch:
    return init_with_sync(lambda log: setattr(log, "entry_synced", True))


def the_redone_round_is_forgotten() -> Patch:
    def init(
        log: CaptionLog, path: Path, count: int, redo: str = "all", redo_from: int = 0
    ) -> None:
        real_init(log, path, count, redo, 0)

    return patch.object(CaptionLog, "__init__", init)


def a_retry_begins_the_log_anew() -> Patch:
    def init(
        log: CaptionLog, path: Path, count: int, redo: str = "all", redo_from: int = 0
    ) -> None:
        if redo_from:
            path.write_bytes(b"")
        real_init(log, path, count, redo, 0)

    return patch.object(CaptionLog, "__init__", init)


def a_torn_tail_stays() -> Patch:
    def cut(log: CaptionLog, size: int) -> None:
        os.lseek(log.file, 0, os.SEEK_END)

    return patch.object(CaptionLog, "cut", cut)


def a_byte_too_many_is_cut() -> Patch:
    return patch.object(CaptionLog, "cut", lambda log, size: real_cut(log, max(0, size - 1)))


def zeros_at_the_end_count_as_rows() -> Patch:
    def parse_log(data: bytes, count: int, redo_from: int = 0) -> LogContents:
        contents = real_parse_log(data, count, redo_from)
        contents.good_bytes = len(data)
        return contents

    return patch.object(caption_log, "parse_log", parse_log)


def rows_wait_in_memory_for_the_sync() -> Patch:
    """Have rows counted before they are handed to the system."""
    waiting: dict[CaptionLog, list[bytes]] = {}
    real_sync = CaptionLog.sync

    def write(log: CaptionLog, data: bytes) -> None:
        waiting.setdefault(log, []).append(data)
        log.size += len(data)

    def sync(log: CaptionLog) -> None:
        for data in waiting.pop(log, []):
            os.write(log.file, data)
        real_sync(log)

    return patch.multiple(CaptionLog, write=write, sync=sync)


def rows_are_written_again_in_place() -> Patch:
    """Have each batch written at the beginning of the log after a restart."""
    return init_with(lambda log: os.lseek(log.file, 0, os.SEEK_SET))


def a_row_gets_the_index_of_the_next_record() -> Patch:
    def to_lines(rows: Any) -> bytes:
        listed = list(rows)
        indexes = [row.i for row in listed]
        turned = zip(listed, indexes[1:] + indexes[:1], strict=True)
        return real_to_lines(msgspec.structs.replace(row, i=i) for row, i in turned)

    return patch.object(caption_log, "to_lines", to_lines)


def the_sizes_of_logs_are_not_seen() -> Patch:
    return patch.object(reconcile, "file_size", lambda path: 0)


def what_is_running_stays_so() -> Patch:
    def catch_up(state: Any, task: Any, log: Path, now: float) -> None:
        if task.state != "running":
            real_catch_up(state, task, log, now)

    return patch.object(reconcile, "catch_up", catch_up)


def project_json_is_renamed_before_its_data_is_synced() -> Patch:
    return patch("engine.utils.atomic_write.sync_to_disk", lambda _: None)


def project_json_is_written_in_place() -> Patch:
    @contextmanager
    def write_in_place(path: Path, *_: object) -> Iterator[Path]:
        yield path

    return patch("engine.project.manifest.write_beside", write_in_place)


def a_sheared_file_is_believed_by_its_number_of_lines() -> Patch:
    def read_sheared(path: Path, count: int) -> list[bytes] | None:
        lines = path.read_bytes().splitlines()[:count]
        return lines if len(lines) == count else None

    return patch("engine.project.sheared_file.read_sheared", read_sheared)


def the_old_database_is_moved_away_before_there_is_a_new_one() -> Patch:
    def rebuild(project: Project, _: str) -> None:
        project.database.rename(project.database.with_name("project.db.damaged"))
        project.manifest.unlink()

    return patch("engine.project.rebuild.rebuild", rebuild)


def a_log_that_was_set_aside_may_come_back() -> Patch:
    return patch("engine.state.damaged_log.sync_folder", lambda _: None)


PLANTED: tuple[Callable[[], Patch], ...] = (
    nothing_is_synced,
    folders_are_not_synced,
    what_a_killed_process_left_is_not_synced,
    entries_of_a_log_that_exists_are_not_synced,
    the_redone_round_is_forgotten,
    a_retry_begins_the_log_anew,
    a_torn_tail_stays,
    a_byte_too_many_is_cut,
    zeros_at_the_end_count_as_rows,
    rows_wait_in_memory_for_the_sync,
    rows_are_written_again_in_place,
    a_row_gets_the_index_of_the_next_record,
    the_sizes_of_logs_are_not_seen,
    what_is_running_stays_so,
    project_json_is_renamed_before_its_data_is_synced,
    project_json_is_written_in_place,
    a_sheared_file_is_believed_by_its_number_of_lines,
    the_old_database_is_moved_away_before_there_is_a_new_one,
    a_log_that_was_set_aside_may_come_back,
)
