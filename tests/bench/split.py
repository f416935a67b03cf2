"""`split` of one array into 32 parts; the baseline is json.load and json.dump."""

from __future__ import annotations

import tempfile
from pathlib import Path

from engine.datasets import split_merge
from engine.datasets.inputs.open_input import InputSource
from tests.bench import upstream
from tests.bench.bench_data import write_array
from tests.bench.measuring import measure, sizes
from tests.bench.report import report

PARTS = 32


def main(cases: list[str]) -> None:
    for count in sizes(cases, 300_000, 3_000_000):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            source = folder / "captions.json"
            write_array(source, count)
            theirs = measure(upstream.split, source, folder / "theirs", PARTS)
            ours = measure(
                split_merge.split, InputSource(path=source, root=folder), folder / "ours", PARTS
            )
        rate, base = count / ours.seconds, count / theirs.seconds
        report("split", f"{count} records", rate, "records/s", base)
        report("split", f"{count} peak memory", ours.megabytes, "MB", theirs.megabytes)
