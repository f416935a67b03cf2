"""`merge` of four arrays, beside json.load and json.dump of as many records, at most 3 million."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from engine.datasets import split_merge
from engine.datasets.inputs.open_input import Input
from tests.bench import upstream
from tests.bench.made import measured, sizes, write_array
from tests.bench.report import report

FILES = 4
UPSTREAM = 3_000_000
"""Its memory is what ends it beyond."""


def main(cases: list[str]) -> None:
    for count in sizes(cases, 100_000, 3_000_000):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            sources = [folder / f"{number}.json" for number in range(FILES)]
            write_array(sources[0], count)
            for source in sources[1:]:
                os.link(sources[0], source)
            ours = measured(
                split_merge.merge,
                [Input(source, folder) for source in sources],
                folder / "ours.json",
            )
            few = sources[: max(1, min(FILES, UPSTREAM // count))]
            theirs = measured(upstream.merge, few, folder / "theirs.json")
        rate, base = FILES * count / ours.seconds, len(few) * count / theirs.seconds
        report("merge", f"{FILES} x {count} records", rate, "records/s", base)
        cost, base = 1e6 * ours.cpu / FILES / count, 1e6 * theirs.cpu / len(few) / count
        report("merge", f"{FILES} x {count} records", cost, "CPU s/million", base)
        report("merge", f"{FILES} x {count} peak memory", ours.megabytes, "MB", theirs.megabytes)
