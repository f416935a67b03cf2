"""Progress bars of the commands, on stderr and only where that is a terminal.

Each context manager here yields the function that reports progress.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from engine.datasets.exports.export import ExportProgress
from engine.operations.tryout import TryoutEvent
from tui.formatting.escape import visible


def make_progress(*columns: ProgressColumn) -> Progress:
    console = Console(stderr=True)
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


@contextmanager
def record_counter(what: str) -> Iterator[Callable[[int], None]]:
    """Show a spinner and a count whose end is not known."""
    columns = (SpinnerColumn(), TextColumn("{task.description} {task.completed:,}"))
    with make_progress(*columns) as progress:
        task = progress.add_task(what, total=None)
        yield lambda count: progress.update(task, completed=count)


@contextmanager
def merge_counters() -> Iterator[tuple[Callable[[int], None], Callable[[int], None]]]:
    """Show two counts: of the records read, and of those written, which may come long after."""
    columns = (SpinnerColumn(), TextColumn("{task.description} {task.completed:,}"))
    with make_progress(*columns) as progress:
        read, written = (
            progress.add_task(f"{what} records", total=None) for what in ("reading", "writing")
        )
        yield (
            lambda count: progress.update(read, completed=count),
            lambda count: progress.update(written, completed=count),
        )


@contextmanager
def step_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar for steps of which the done and all are counted."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with make_progress(*columns) as progress:
        task = progress.add_task(what, total=None, visible=False)
        yield lambda done, total: progress.update(task, completed=done, total=total, visible=True)


@contextmanager
def pilot_bars(records: int) -> Iterator[Callable[[str, TryoutEvent], None]]:
    """Show a bar for each model, beside it the step of its loading until the first caption."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[step]}", markup=False),
    )
    with make_progress(*columns) as progress:
        rows: dict[str, TaskID] = {}

        def show_event(model: str, event: TryoutEvent) -> None:
            if model not in rows:
                rows[model] = progress.add_task(visible(model), total=records, step="")
            if event.loading is not None:
                progress.update(rows[model], step=visible(event.loading))
            elif event.record is not None:
                progress.update(rows[model], advance=1, step="")

        yield show_event


@contextmanager
def export_bar(what: str) -> Iterator[Callable[[ExportProgress], None]]:
    """Show a bar of the shards that are counted or exported; `what` says which."""
    columns = (
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("shards"),
        TimeElapsedColumn(),
    )
    with make_progress(*columns) as progress:
        task = progress.add_task(what, total=None)

        def show_progress(export: ExportProgress) -> None:
            progress.update(task, completed=export.shards_done, total=export.shards)

        yield show_progress
