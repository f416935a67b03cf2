"""What the database is told of a caption log outlives a power cut."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.project.caption_log import CaptionLog
from engine.state import reconcile
from engine.state.reconcile import log_path
from tests.support.run_in_memory import RunInMemory, caption

COUNT = 4


@pytest.mark.parametrize("rows", [2, COUNT], ids=["a part", "the whole"])
def test_rows_of_a_killed_supervisor_are_synced_before_they_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    run = RunInMemory(tmp_path / "project", records=COUNT)
    path = log_path(run.state, run.task)
    log = CaptionLog(path, COUNT)
    log.append([caption(i) for i in range(rows)])
    log.close()  # not synced: its supervisor was killed
    run.change_task(state="running")
    counted: dict[int, int] = {}
    monkeypatch.setattr(
        os,
        "fsync",
        lambda handle: counted.setdefault(os.fstat(handle).st_ino, run.task.captioned),
    )

    reconcile.catch_up(run.state, run.task, path, run.clock.time())

    assert run.task.captioned == rows
    assert [counted[p.stat().st_ino] for p in (path, path.parent, path.parent.parent)] == [0, 0, 0]
