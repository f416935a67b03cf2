"""`reshear` in both modes, all cores; the baseline shears text after text on one core.

The baseline is upstream's: json.load, split at the full stop, json.dump.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

from engine.reshear import reshear
from engine.shearing import Shearing
from tests.bench.made import make_project, sizes, write_log
from tests.bench.report import report

MODELS = 4


def main(cases: list[str]) -> None:
    for count in sizes(cases, 100_000, 1_000_000):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            project = make_project(folder / "run", count, MODELS)
            baseline = upstream_rate(folder)
            for shearing in (Shearing("sentence"), Shearing("paper")):
                began = time.perf_counter()
                done = reshear(project, shearing)
                rate = done.captions / (time.perf_counter() - began)
                report("reshear", f"{done.captions}, {shearing.mode}", rate, "captions/s", baseline)


def upstream_rate(folder: Path) -> float:
    write_log(folder / "log.jsonl", 1)
    rows = list(map(json.loads, (folder / "log.jsonl").read_text().splitlines()))
    (folder / "raw.json").write_text(json.dumps([row["raw"] for row in rows]))
    began = time.perf_counter()
    with (folder / "raw.json").open() as file:
        texts = [raw.strip().split(".")[0].strip() for raw in json.load(file)]
    with (folder / "sheared.json").open("w") as file:
        json.dump(texts, file)
    return len(texts) / (time.perf_counter() - began)
