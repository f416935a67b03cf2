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
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from engine.datasets.exports.export import ExportProgress
from engine.operations.tryout import TryoutEvent
from tui.formatting.escape import visible


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
def merging() -> Iterator[tuple[Callable[[int], None], Callable[[int], None]]]:
    """Two counts, of the records read and of those written, which may come long after."""
    columns = (SpinnerColumn(), TextColumn("{task.description} {task.completed:,}"))
    with bars(*columns) as progress:
        read, written = (
            progress.add_task(f"{what} records", total=None) for what in ("reading", "writing")
        )
        yield (
            lambda count: progress.update(read, completed=count),
            lambda count: progress.update(written, completed=count),
        )


@contextmanager
def stepping(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar for something of which so many are done."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with bars(*columns) as progress:
        task = progress.add_task(what, total=None, visible=False)
        yield lambda done, total: progress.update(task, completed=done, total=total, visible=True)


@contextmanager
def piloting(records: int) -> Iterator[Callable[[str, TryoutEvent], None]]:
    """A bar a model, with the step of loading until the first caption."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[step]}", markup=False),
    )
    with bars(*columns) as progress:
        rows: dict[str, TaskID] = {}

        def told(model: str, said: TryoutEvent) -> None:
            if model not in rows:
                rows[model] = progress.add_task(visible(model), total=records, step="")
            if said.loading is not None:
                progress.update(rows[model], step=visible(said.loading))
            elif said.record is not None:
                progress.update(rows[model], advance=1, step="")

        yield told


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
