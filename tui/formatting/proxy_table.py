"""The results of a proxy in plain text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from shlex import quote
from statistics import mean
from typing import TYPE_CHECKING

from engine.utils.plurals import plural
from tui.formatting.stats_table import aligned

if TYPE_CHECKING:
    from engine.operations.proxy.proxy import ProxyResult
    from engine.operations.proxy.results import ProxyResults


def made_lines(made: ProxyResult) -> Iterator[str]:
    """Yield what a proxy holds, what to do with it, and last the line that adds up."""
    yield f"{made.path}: {plural(made.trainings, 'training')}"
    yield f"train: sh {quote(str(made.path / 'train.sh'))}  (open_clip; one line per training)"
    yield f"test: sh {quote(str(made.path / 'evaluate.sh'))}  (clip_benchmark)"
    yield f"table: mllmaug-tui proxy-table {quote(str(made.path))}"
    yield made.sum_line()


def proxy_lines(results: ProxyResults) -> Iterator[str]:
    """Yield a table with a row an arm for each test, and what is missing."""
    plan = results.plan
    yield (
        f"each arm: {plural(plan.images, 'image')}, {plan.samples_seen:,} samples seen; R@1 in"
        " percent, the mean of its seeds and their range"
    )
    for test in results.tests:
        rows: list[Sequence[str]] = [[test, "seeds", "image to text", "text to image"]]
        for cell in results.cells:
            if cell.test == test:
                found = (recall(cell.image_to_text), recall(cell.text_to_image))
                rows.append([cell.arm, str(len(cell.image_to_text)), *found])
        yield from aligned(rows)
    if results.missing:
        yield f"without results so far: {', '.join(results.missing)}"
    for training, tests in results.incomplete.items():
        yield f"{training} is not tested so far in {', '.join(tests)}"
    yield (
        "An arm does better on captions in the wording that it was trained on: public data sets"
        " (evaluate-public.sh) favour no arm."
    )


def recall(values: Sequence[float]) -> str:
    """Return the mean and the range of recalls, in percent."""
    text = f"{100 * mean(values):.1f}"
    return text if len(values) == 1 else f"{text} ({100 * min(values):.1f}-{100 * max(values):.1f})"
