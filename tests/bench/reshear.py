"""`reshear` in both modes on all cores.

The baseline is upstream's way on one core: json.load, split at the full stop, json.dump. CPU
seconds include all processes and their start; they vary less when others use the machine.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

from engine.operations.reshear import reshear
from engine.shearing.shear import Shearing
from tests.bench.bench_data import make_project, write_log
from tests.bench.measuring import cpu_seconds, sizes
from tests.bench.report import report

MODELS = 4
MILLION = 1_000_000


def main(cases: list[str]) -> None:
    for count in sizes(cases, 100_000, 1_000_000):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            project = make_project(folder / "run", count, MODELS)
            baseline, base_cpu = upstream_rate(folder)
            for shearing in (Shearing("sentence"), Shearing("paper")):
                began, cpu = time.perf_counter(), cpu_seconds()
                result = reshear(project, shearing)
                rate = result.captions / (time.perf_counter() - began)
                cost = (cpu_seconds() - cpu) / result.captions * MILLION
                case = f"{result.captions}, {shearing.mode}"
                report("reshear", case, rate, "captions/s", baseline)
                report("reshear", case, cost, "CPU s/million", base_cpu)


def upstream_rate(folder: Path) -> tuple[float, float]:
    """Return upstream's captions a second, and its CPU seconds for a million captions."""
    write_log(folder / "log.jsonl", 1)
    rows = list(map(json.loads, (folder / "log.jsonl").read_text().splitlines()))
    (folder / "raw.json").write_text(json.dumps([row["raw"] for row in rows]))
    began, cpu = time.perf_counter(), time.process_time()
    with (folder / "raw.json").open() as file:
        texts = [raw.strip().split(".")[0].strip() for raw in json.load(file)]
    with (folder / "sheared.json").open("w") as file:
        json.dump(texts, file)
    cost = (time.process_time() - cpu) / len(texts) * MILLION
    return len(texts) / (time.perf_counter() - began), cost
