"""Reading inputs in tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from engine.datasets.inputs.input_report import InputReport
from engine.datasets.inputs.open_input import InputSource, read_input
from engine.datasets.inputs.read_options import ReadOptions


def pairs(
    path: Path, report: InputReport | None = None, root: Path | None = None, **options: Any
) -> list[tuple[str, str]]:
    """Return (image, caption) of all records of an input."""
    source = InputSource(path=path, root=root or path.parent, options=ReadOptions(**options))
    batches = read_input(source, report)
    return [(record.image, record.caption) for batch in batches for record in batch.records()]


def values(path: Path, **options: Any) -> list[dict[str, Any]]:
    """Return the records of an input as the shards get them."""
    source = InputSource(path=path, root=path.parent, options=ReadOptions(**options))
    return [json.loads(line) for batch in read_input(source) for line in batch.lines]


def passed_over(report: InputReport) -> dict[str, int]:
    """Return how much was passed over, by reason."""
    return {reason: passed.count for reason, passed in report.passed_over.items()}
