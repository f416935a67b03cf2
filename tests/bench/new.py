"""`new`: records a second from an array to shards; the baseline is json.load and json.dump."""

from __future__ import annotations

import tempfile
from pathlib import Path

from engine.captioners.registry import choose
from engine.operations.new_project import NewProject, create
from tests.bench import upstream
from tests.bench.bench_data import SHARD_SIZE, write_array
from tests.bench.measuring import measure, sizes
from tests.bench.report import report

UPSTREAM_LIMIT = 3_000_000
"""The most records that upstream splits: its memory does not allow for more."""


def main(cases: list[str]) -> None:
    for count in sizes(cases, 300_000, 15_000_000):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            source = folder / "captions.json"
            base_count = min(count, UPSTREAM_LIMIT)
            write_array(source, base_count)
            parts = -(-base_count // SHARD_SIZE)
            theirs = measure(upstream.split, source, folder / "theirs", parts)
            if count > base_count:
                write_array(source, count)
            new_project = NewProject(
                captions=[source], models=[choose("dry-run")], allow_missing=True
            )
            ours = measure(create, folder / "run", new_project)
        rate, base = count / ours.seconds, base_count / theirs.seconds
        report("new", f"{count} records", rate, "records/s", base)
        cost, base = 1e6 * ours.cpu / count, 1e6 * theirs.cpu / base_count
        report("new", f"{count} records", cost, "CPU s/million", base)
        report("new", f"{count} peak memory", ours.megabytes, "MB", theirs.megabytes)
