"""Progress bars of the headless commands, on stderr and only where there is a terminal."""

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
    TextColumn,
    TimeElapsedColumn,
)

from engine.datasets.export import ExportProgress


def bars(*columns: ProgressColumn) -> Progress:
    console = Console(stderr=True)
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


@contextmanager
def counting(what: str) -> Iterator[Callable[[int], None]]:
    """A spinner with a count whose end is not known."""
    columns = (SpinnerColumn(), TextColumn("{task.description} {task.completed:,}"))
    with bars(*columns) as progress:
        task = progress.add_task(what, total=None)
        yield lambda count: progress.update(task, completed=count)


@contextmanager
def stepping(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar for something of which so many are done."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with bars(*columns) as progress:
        task = progress.add_task(what, total=None, visible=False)
        yield lambda done, total: progress.update(task, completed=done, total=total, visible=True)


@contextmanager
def exporting() -> Iterator[Callable[[ExportProgress], None]]:
    columns = (
        TextColumn("exporting"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("shards"),
        TimeElapsedColumn(),
    )
    with bars(*columns) as progress:
        task = progress.add_task("exporting", total=None)

        def show(done: ExportProgress) -> None:
            progress.update(task, completed=done.shards_done, total=done.shards)

        yield show
