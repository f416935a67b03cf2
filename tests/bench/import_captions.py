"""`import` of captions in another order than the project's records, under foreign paths."""

from __future__ import annotations

import json
import random
import tempfile
from pathlib import Path

from engine.captioners.registry import choose
from engine.operations.imports.caption_import import CaptionImport, import_captions
from engine.operations.imports.import_result import ImportResult
from engine.operations.new_project import NewProject, create
from engine.project.layout import Project
from tests.bench.bench_data import records, write_array
from tests.bench.measuring import measure, sizes
from tests.bench.report import report

FOREIGN = "/mnt/somewhere/else/"
"""How the image paths of the captions begin."""
PART = 10_000
"""Captions that stay together when their order is changed."""


def main(cases: list[str]) -> None:
    for count in sizes(cases, 300_000, 3_000_000):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_array(folder / "captions.json", count)
            new_project = NewProject(
                captions=[folder / "captions.json"], models=[choose("dry-run")], allow_missing=True
            )
            create(folder / "run", new_project)
            write_captions(folder / "blip.json", count)
            ours = measure(import_blip, folder)
        report("import", f"{count} captions", count / ours.seconds, "captions/s")
        report("import", f"{count} captions", 1e6 * ours.cpu / count, "CPU s/million")
        report("import", f"{count} peak memory", ours.megabytes, "MB")


def write_captions(path: Path, count: int) -> None:
    """Write a caption for each record of `bench_data.records`, in parts of another order."""
    captions = [
        json.dumps({**record, "image": f"{FOREIGN}{record['image']}"})
        for record in records(count, caption_words=11)
    ]
    parts = [captions[start : start + PART] for start in range(0, count, PART)]
    random.Random(1).shuffle(parts)
    path.write_text(f"[{', '.join(text for part in parts for text in part)}]")


def import_blip(folder: Path) -> ImportResult:
    """Import the captions as a new model."""
    request = CaptionImport(name="blip", files=[folder / "blip.json"], path_map=((FOREIGN, ""),))
    return import_captions(Project(folder / "run"), request)
