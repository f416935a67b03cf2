"""`status` and `samples` on a large project, in seconds."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from engine.operations.records import read_samples
from tests.bench.bench_data import make_project
from tests.bench.measuring import sizes
from tests.bench.report import report
from tui.viewmodel.snapshot_reader import read_snapshot
from tui.viewmodel.status import status_dict

MODELS = 4


def main(cases: list[str]) -> None:
    for count in sizes(cases, 100_000, 15_000_000):
        with tempfile.TemporaryDirectory() as name:
            project = make_project(Path(name) / "run", count, MODELS)
            for case, work in (
                ("status", lambda project=project: status_dict(read_snapshot(project))),
                ("samples", lambda project=project: read_samples(project, 8)),
            ):
                work()
                began = time.perf_counter()
                work()
                seconds = time.perf_counter() - began
                report("status", f"{case} of {count} x {MODELS}", seconds, "s")
