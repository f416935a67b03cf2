"""The end of a run: what was captioned is on the disk, whatever the workers do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.run_in_memory import RunInMemory


def test_the_rows_of_a_worker_that_outlives_the_run_are_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunInMemory(tmp_path)

    def receive(timeout: float) -> list[tuple[object, object]]:
        run.clock.sleep(timeout)
        return []

    monkeypatch.setattr(run.launcher, "receive", receive)
    worker = run.captioning()
    run.rows(worker, 0)
    attempt = worker.attempt
    assert attempt is not None and attempt.log.unsynced == 1
    run.supervisor.shut_down()  # nothing ever comes of the worker
    assert worker.handle.id in run.supervisor.workers
    assert attempt.log.unsynced == 0
