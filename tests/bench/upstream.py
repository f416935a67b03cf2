"""Splitting and merging caption files as upstream does: json.load, then json.dump."""

from __future__ import annotations

import json
from pathlib import Path


def split(source: Path, folder: Path, parts: int) -> None:
    with source.open() as file:
        records = json.load(file)
    size = -(-len(records) // parts)
    folder.mkdir()
    for number in range(parts):
        with (folder / f"partition_{number}.json").open("w") as file:
            json.dump(records[number * size : (number + 1) * size], file)


def merge(sources: list[Path], out: Path) -> None:
    merged = []
    for source in sources:
        with source.open() as file:
            merged += json.load(file)
    with out.open("w") as file:
        json.dump(merged, file)
