"""Searching all captions of a project: captions a second by what is searched, and memory.

The baselines are read in the same run: `grep -c -i` over the logs for texts, and a loop of
`json.loads` over each line of a log, which counts words or compares, for the rest. The first look
of a defect reads what no `quality` has counted; agreement is compared, and kept, in its first look.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

from engine.operations.quality import measure_quality
from engine.operations.search.search import plan_search, search_captions
from engine.project.layout import Project
from tests.bench.bench_data import SHARD_SIZE, make_project
from tests.bench.measuring import Measurement, measure, sizes
from tests.bench.report import report

MODELS = 4
RECORDS = 500_000
"""Records unless the command line says otherwise: with four models, two million captions."""
COMPARED = 50_000
"""Records at most of the project whose captions are compared, which takes long the first time."""
TEXTS = {"a rare text": "zebra", "a frequent text": "dog", "a field's name": "stop"}
OF_RECORDS = ("original:dog", "original:zebra", "path:0001")
"""Texts of the records, which are read once for the captions of all models."""
QUALITIES = ("words<5", "loop", "cut", "refusal", "dup")


def main(cases: list[str]) -> None:
    for count in sizes(cases, RECORDS):
        with tempfile.TemporaryDirectory() as name:
            bench(Path(name), max(count, SHARD_SIZE))


def bench(folder: Path, count: int) -> None:
    project = make_project(folder / "run", count, MODELS)
    captions = count * MODELS
    for name, text in TEXTS.items():
        baseline = measure(grep, project, text)
        report_search(project, f"{name} ({text})", text, captions, baseline)
    for text in OF_RECORDS:
        report_search(project, text, text, captions)
    baseline = measure(parse_each_line, project)
    for text in QUALITIES:
        report_search(project, f"{text}, first look", text, captions, baseline)
    small = make_project(folder / "small", min(count, COMPARED), MODELS)
    compared = min(count, COMPARED) * MODELS
    report_search(small, "disagree, first look", "disagree", compared)
    measure(measure_quality, small)
    for text in (*QUALITIES, "disagree"):
        report_search(small, f"{text}, after quality", text, compared)


def report_search(
    project: Project, case: str, text: str, captions: int, baseline: Measurement | None = None
) -> None:
    """Report captions a second, CPU seconds a million and peak memory of one search."""
    run = measure(search, project, text)
    million = 1e6 / captions
    by_wall = captions / baseline.seconds if baseline else None
    by_cpu = baseline.cpu * million if baseline else None
    report("search", case, captions / run.seconds, "captions/s", by_wall)
    report("search", f"{case}, CPU", run.cpu * million, "s/million", by_cpu)
    report("search", f"{case}, memory", run.megabytes, "MB")


def search(project: Project, text: str) -> int:
    """Return how many records are found."""
    return sum(len(step.matches.indices) for step in search_captions(plan_search(project, text)))


def grep(project: Project, text: str) -> int:
    """Return how many lines of all logs hold a text, in any field."""
    logs = sorted(map(str, project.captions.glob("*/?????.jsonl")))
    command = ["grep", "-c", "-i", "-F", text, *logs]
    lines = subprocess.run(command, capture_output=True, text=True).stdout.splitlines()
    return sum(int(line.rpartition(":")[2]) for line in lines)


def parse_each_line(project: Project) -> int:
    """Return how many captions of all logs have fewer than five words."""
    few = 0
    for log in project.captions.glob("*/?????.jsonl"):
        with log.open() as file:
            few += sum(len(json.loads(line)["raw"].split()) < 5 for line in file)
    return few
