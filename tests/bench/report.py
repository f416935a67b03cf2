"""The output of the benches: one JSON object a line."""

from __future__ import annotations

import json


def report(
    bench: str,
    case: str,
    value: float,
    unit: str,
    baseline: float | None = None,
    **fields: str | float,
) -> None:
    """Print a measured value. `baseline` is the same quantity, measured in the same run.

    The line's `ratio` is the value divided by the baseline. `fields` say more of the case.
    """
    line = {
        "bench": bench,
        "case": case,
        "value": round(value, 4),
        "unit": unit,
        "baseline": None if baseline is None else round(baseline, 4),
        "ratio": None if not baseline else round(value / baseline, 3),
        **fields,
    }
    print(json.dumps(line), flush=True)
