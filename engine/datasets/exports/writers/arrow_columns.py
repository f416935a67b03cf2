"""The columns of captions in Parquet files, for the formats that are Parquet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from engine.datasets.exports.writers.base import ExportPlan
from engine.utils import jsonlines


def caption_fields(plan: ExportPlan) -> dict[str, str]:
    """Return the kind of each column that `base.captions_by_name` gives: `string` or `list`, of
    strings. Provenance is JSON."""
    return (
        dict.fromkeys(["uid"] * plan.with_uid, "string")
        | dict.fromkeys(plan.names, "string")
        | dict.fromkeys(["captions"] * plan.with_list, "list")
        | dict.fromkeys(["provenance"] * plan.provenance, "string")
    )


class ArrowColumns:
    """Rows, gathered by column."""

    def __init__(self, names: Iterable[str]) -> None:
        self.values: dict[str, list[Any]] = {name: [] for name in names}

    def append(self, row: Mapping[str, Any]) -> None:
        """Add a row, which has a value for every column."""
        for name, value in row.items():
            is_provenance = name == "provenance"
            self.values[name].append(jsonlines.dumps(value).decode() if is_provenance else value)
