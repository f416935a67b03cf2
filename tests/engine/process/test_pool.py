"""Jobs on all cores, also from within the application, and few jobs in this process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.process import pool
from engine.process.pool import map_on_all_cores
from tests.support.waiting import TIMEOUT_SECONDS

APPLICATION = """
import sys
from engine.process import pool

class Capture:
    def write(self, text): ...
    def flush(self): ...
    def fileno(self): return -1

if __name__ == "__main__":
    pool.usable_cores = lambda: 2
    sys.stderr = Capture()
    print(sum(pool.map_on_all_cores(abs, range(-50, 0))))
"""


def test_a_captured_stderr_is_no_hindrance(tmp_path: Path) -> None:
    """Textual captures stderr like this while the application runs."""
    program = tmp_path / "application.py"
    program.write_text(APPLICATION)
    command = [sys.executable, str(program)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert done.stdout == "1275\n", done.stderr


def no_pool(*arguments: object, **options: object) -> None:
    raise AssertionError("a pool was made")


@pytest.mark.parametrize(("cores", "jobs", "min_jobs"), [(8, 3, 4), (8, 23, None), (1, 100, 2)])
def test_few_jobs_or_one_core_need_no_other_process(
    monkeypatch: pytest.MonkeyPatch, cores: int, jobs: int, min_jobs: int | None
) -> None:
    monkeypatch.setattr(pool, "usable_cores", lambda: cores)
    monkeypatch.setattr(pool, "ProcessPoolExecutor", no_pool)
    results = map_on_all_cores(lambda job: job * job, range(jobs), min_jobs)
    assert list(results) == [job * job for job in range(jobs)]


def test_a_job_is_taken_only_when_its_result_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "usable_cores", lambda: 1)
    taken: list[int] = []

    def jobs() -> Iterator[int]:
        for job in range(10):
            taken.append(job)
            yield job

    results = map_on_all_cores(str, jobs(), 1)
    assert [next(results), next(results)] == ["0", "1"]
    assert taken == [0, 1]


def test_on_wait_is_called_when_a_result_has_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """Progress in other processes is seen to its end, however soon they end."""
    monkeypatch.setattr(pool, "usable_cores", lambda: 2)
    monkeypatch.setattr(pool, "WAIT_SECONDS", TIMEOUT_SECONDS)
    calls: list[str] = []
    results = map_on_all_cores(abs, [-1, -2, -3], 1, lambda: calls.append("called"))
    assert [(result, len(calls)) for result in results] == [(1, 1), (2, 2), (3, 3)]
