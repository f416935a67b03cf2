"""The columns of captions in Parquet files, for the formats that are Parquet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from engine.datasets.exports.writers.base import ExportPlan
from engine.utils import jsonlines


def caption_fields(plan: ExportPlan) -> dict[str, str]:
    """Return the kind of each column that `base.captions_by_name` gives: `string`, `list` of
    strings, or the name of a column of quality. Provenance is JSON."""
    return (
        dict.fromkeys(["uid"] * plan.with_uid, "string")
        | dict.fromkeys(plan.names, "string")
        | dict.fromkeys(["captions"] * plan.with_list, "list")
        | dict.fromkeys(["provenance"] * plan.provenance, "string")
        | {name: name for name in quality_types(plan, None, None)}
    )


def quality_types(plan: ExportPlan, text: Any, number: Any) -> dict[str, Any]:
    """Return the columns of quality, each as the types of its values by name, of which the scores
    are one level deeper. `text` and `number` are what stands for these types."""
    fields = plan.quality
    if fields is None:
        return {}
    types: dict[str, Any] = {"health": dict.fromkeys(fields.names, text)}
    if fields.agreement:
        types["agreement"] = dict.fromkeys(fields.agreement, number)
    if fields.scorers:
        scores = dict.fromkeys(fields.names, number)
        types["scores"] = dict.fromkeys(fields.scorers, scores)
    return types | {"flags": dict.fromkeys(fields.names, text)}


def arrow_types(plan: ExportPlan, arrow: Any) -> dict[str, Any]:
    """Return pyarrow's type for each kind of column; `arrow` is its module."""
    string = arrow.string()
    types = {"string": string, "list": arrow.list_(string)}
    for name, values in quality_types(plan, string, arrow.float64()).items():
        types[name] = struct_of(arrow, values)
    return types


def struct_of(arrow: Any, types: Mapping[str, Any]) -> Any:
    """Return the struct of types by name; one that is a mapping is a struct as well."""
    return arrow.struct(
        [
            (name, struct_of(arrow, each) if isinstance(each, Mapping) else each)
            for name, each in types.items()
        ]
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
