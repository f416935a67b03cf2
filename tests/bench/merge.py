"""`merge` of four arrays; the baseline is json.load and json.dump of as many, at most 3 million."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from engine.datasets import rewritten_paths, split_merge
from engine.datasets.inputs.open_input import InputSource
from engine.datasets.path_rules import PathRules
from tests.bench import upstream
from tests.bench.bench_data import write_array
from tests.bench.measuring import measure, sizes
from tests.bench.report import report

FILES = 4
UPSTREAM_LIMIT = 3_000_000
"""The most records that upstream merges: its memory does not allow for more."""


def main(cases: list[str]) -> None:
    for count in sizes(cases, 100_000, 3_000_000):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            sources = [folder / f"{number}.json" for number in range(FILES)]
            write_array(sources[0], count)
            for source in sources[1:]:
                os.link(sources[0], source)
            ours = measure(
                split_merge.merge,
                [InputSource(path=source, root=folder) for source in sources],
                folder / "ours.json",
            )
            mapped = measure(
                rewritten_paths.merge_rewritten,
                [InputSource(path=source, root=folder) for source in sources],
                folder / "mapped.json",
                PathRules((("cc3m/", "/data/cc3m/"),)),
            )
            base_sources = sources[: max(1, min(FILES, UPSTREAM_LIMIT // count))]
            theirs = measure(upstream.merge, base_sources, folder / "theirs.json")
        base_count = len(base_sources) * count
        rate, base = FILES * count / ours.seconds, base_count / theirs.seconds
        report("merge", f"{FILES} x {count} records", rate, "records/s", base)
        cost, base = 1e6 * ours.cpu / FILES / count, 1e6 * theirs.cpu / base_count
        report("merge", f"{FILES} x {count} records", cost, "CPU s/million", base)
        report("merge", f"{FILES} x {count} peak memory", ours.megabytes, "MB", theirs.megabytes)
        rate = FILES * count / mapped.seconds
        report("merge", f"{FILES} x {count} records, --path-map", rate, "records/s")
        cost = 1e6 * mapped.cpu / FILES / count
        report("merge", f"{FILES} x {count} records, --path-map", cost, "CPU s/million")
        report("merge", f"{FILES} x {count} peak memory, --path-map", mapped.megabytes, "MB")
