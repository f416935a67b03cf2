"""`export` of a finished project with four models; the baseline is upstream's merge of captions."""

from __future__ import annotations

import tempfile
from pathlib import Path

from engine.datasets.exports.export import ExportOptions, count_captions, export
from engine.quality.quality_filter import QualityFilter
from tests.bench import upstream
from tests.bench.bench_data import make_project
from tests.bench.measuring import measure, sizes
from tests.bench.report import report

MODELS = 4
UPSTREAM_LIMIT = 3_000_000
"""The most captions that upstream merges: its memory does not allow for more."""
OTHER_FORMATS = ("jsonl", "columns", "openclip", "laclip", "parquet")


def main(cases: list[str]) -> None:
    for count in sizes(cases, 100_000, 3_000_000):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            project = make_project(folder / "run", count, MODELS)
            ours = measure(export, project, folder / "ours.json")
            (folder / "ours.json").unlink()
            base_count = min(count, UPSTREAM_LIMIT // MODELS)
            base = make_project(folder / "base", base_count, MODELS)
            export(base, folder / "models", ExportOptions(format="per-model"))
            theirs = measure(
                upstream.merge, sorted((folder / "models").iterdir()), folder / "theirs.json"
            )
            baseline = MODELS * base_count / theirs.seconds
            case = f"{MODELS} x {count}"
            rate = ours.result.captions / ours.seconds
            report("export", f"{case} records, json", rate, "records/s", baseline)
            cost = 1e6 * ours.cpu / ours.result.captions
            base_cost = 1e6 * theirs.cpu / MODELS / base_count
            report("export", f"{case} records, json", cost, "CPU s/million", base_cost)
            report("export", f"{case} peak memory", ours.megabytes, "MB", theirs.megabytes)
            for form in OTHER_FORMATS if count < UPSTREAM_LIMIT else ():
                ours = measure(export, project, folder / form, ExportOptions(format=form))
                rate = ours.result.captions / ours.seconds
                report("export", f"{case} records, {form}", rate, "records/s", baseline)
            without = ExportOptions(quality=QualityFilter(without=("loops", "duplicates")))
            for look in ("first", "second") if count < UPSTREAM_LIMIT else ():
                counted = measure(count_captions, project, without)
                cost = 1e6 * counted.cpu / MODELS / count
                case_of_look = f"{case} records, --without loops,duplicates, {look} look"
                report("export", case_of_look, cost, "CPU s/million")
