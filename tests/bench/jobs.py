"""The supervisor alone: records a second from shard file to caption log.

Two workers answer at once, without image or model. The baseline writes the same rows to the same
number of files in one process and syncs as often, which is the speed of disk and encoder.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from pathlib import Path

from engine.captioners.registry import choose
from engine.operations.new_project import NewProject, create
from engine.state.policy import Policy
from engine.supervisor.main import supervise
from tests.bench.report import report

CASES = ("100000", "1000000")
SHARD_SIZE = 10_000


def main(cases: list[str]) -> None:
    for case in cases or CASES:
        with tempfile.TemporaryDirectory() as folder:
            measure_jobs(case, int(case), Path(folder))


def measure_jobs(case: str, records: int, folder: Path) -> None:
    captions = folder / "captions.json"
    with captions.open("w") as file:
        file.write("[")
        for i in range(records):
            record = {"image": f"images/{i:09}.jpg", "caption": f"alt text number {i}"}
            file.write(("," if i else "") + json.dumps(record))
        file.write("]")
    new_project = NewProject(
        captions=[captions], models=[choose("dry-run")], shard_size=SHARD_SIZE, allow_missing=True
    )
    project = create(folder / "run", new_project).project
    began = time.monotonic()
    finished = supervise(project, "cpu:2", module="tests.bench.instant_worker")
    seconds = time.monotonic() - began
    if not finished:
        raise SystemExit("the run did not finish")
    captioned = sum(map(count_captions, project.captions.glob("*/?????.jsonl")))
    if captioned != records:
        raise SystemExit(f"{captioned} captions for {records} records")
    report("jobs", case, records / seconds, "records/s", records / write_plainly(folder, records))


def count_captions(log: Path) -> int:
    return log.read_bytes().count(b'"raw"')


def write_plainly(folder: Path, records: int) -> float:
    """Return the seconds that it takes just to write the rows."""
    began = time.monotonic()
    for first in range(0, records, SHARD_SIZE):
        with (folder / f"plain-{first}.jsonl").open("wb") as file:
            for i in range(first, min(first + SHARD_SIZE, records)):
                row = {"i": i - first, "raw": f"an image called {i}. And a tail.", "tokens": 9}
                file.write(json.dumps(row | {"finish": "stop"}).encode() + b"\n")
                if i % Policy().sync_rows == 0:
                    file.flush()
                    os.fsync(file.fileno())
            file.flush()
            os.fsync(file.fileno())
    return time.monotonic() - began
