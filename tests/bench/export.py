"""`export` of four models' captions of a finished project, beside upstream's merge of them."""

from __future__ import annotations

import tempfile
from pathlib import Path

from engine.datasets.exports.export import ExportOptions, export
from tests.bench import upstream
from tests.bench.made import make_project, measured, sizes
from tests.bench.report import report

MODELS = 4
UPSTREAM = 3_000_000
OTHERS = ("jsonl", "columns", "openclip", "laclip", "parquet")


def main(cases: list[str]) -> None:
    for count in sizes(cases, 100_000, 3_000_000):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            project = make_project(folder / "run", count, MODELS)
            ours = measured(export, project, folder / "ours.json")
            (folder / "ours.json").unlink()
            base_count = min(count, UPSTREAM // MODELS)
            base = make_project(folder / "base", base_count, MODELS)
            export(base, folder / "models", ExportOptions(format="per-model"))
            theirs = measured(
                upstream.merge, sorted((folder / "models").iterdir()), folder / "theirs.json"
            )
            baseline = MODELS * base_count / theirs.seconds
            case = f"{MODELS} x {count}"
            rate = ours.result.captions / ours.seconds
            report("export", f"{case} records, json", rate, "records/s", baseline)
            cost, base = (
                1e6 * ours.cpu / ours.result.captions,
                1e6 * theirs.cpu / MODELS / base_count,
            )
            report("export", f"{case} records, json", cost, "CPU s/million", base)
            report("export", f"{case} peak memory", ours.megabytes, "MB", theirs.megabytes)
            for form in OTHERS if count < UPSTREAM else ():
                ours = measured(export, project, folder / form, ExportOptions(format=form))
                rate = ours.result.captions / ours.seconds
                report("export", f"{case} records, {form}", rate, "records/s", baseline)
