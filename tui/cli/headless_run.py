"""`mllmaug-tui run`: run a project in this process, or attach to its run, with progress.

Progress is shown on stderr: bars in a terminal, else a line now and then.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from db.connection import DatabaseError
from engine.operations import run_control
from engine.project.layout import Project
from engine.project.lock import ProjectInUse
from engine.requests.kinds import Resume
from engine.supervisor.main import supervise
from engine.utils.errors import RequestRefused
from tui.cli.output import status_lines
from tui.cli.requests import EXIT_INTERRUPTED, EXIT_UNFINISHED
from tui.formatting.escape import visible
from tui.viewmodel.model_waiting import describe_wait
from tui.viewmodel.snapshot import Snapshot
from tui.viewmodel.snapshot_reader import SnapshotReader, read_snapshot

TICK_SECONDS = 0.5
"""Seconds between two reads of the snapshot."""
LINE_SECONDS = 30.0
"""Seconds between two lines of progress where there is no terminal."""


def devices_of_last_run(project: Project) -> str:
    """Return the devices of the last run; print them if a first run would take others."""
    devices = run_control.last_devices(project)
    if devices != "auto" and run_control.live_supervisor(project) is None:
        click.echo(f"on {devices}, where it ran last (otherwise: --devices auto)", err=True)
    return devices


def start_detached(project: Project, devices: str) -> int:
    """Start the supervisor as a process of its own; return the exit code 0."""
    clear_old_pause(project)
    row = run_control.start(project, devices)
    click.echo(
        f"running as process {row.pid}; 'mllmaug-tui {project.folder}' shows it,"
        f" 'mllmaug-tui stop {project.folder}' ends it"
    )
    return 0


def attach_or_run(project: Project, devices: str) -> int:
    """Run the project in this process, or attach to its run; return the exit code."""
    deadline = time.monotonic() + run_control.ANSWER_SECONDS
    while run_control.live_supervisor(project) is None:
        clear_old_pause(project)
        try:
            return run_here(project, devices)
        except ProjectInUse:  # another one that is starting up, or ending
            if time.monotonic() > deadline:
                raise
            time.sleep(run_control.POLL_SECONDS)
    return attach(project)


def run_here(project: Project, devices: str) -> int:
    """Run the project in this process; return the exit code. Raises `ProjectInUse`."""
    ended, interrupted = threading.Event(), threading.Event()
    progress = threading.Thread(target=show_progress_safely, args=(project, ended), daemon=True)
    progress.start()
    try:
        supervise(project, devices, on_interrupt=interrupted.set)
    finally:
        ended.set()
        progress.join(timeout=2 * TICK_SECONDS)
    return print_result(project, interrupted.is_set())


def clear_old_pause(project: Project) -> None:
    """Resume a project that was paused when its last run ended: `run` means run."""
    if run_control.live_supervisor(project) is None and read_snapshot(project).project.paused:
        try:
            run_control.send_request(project, Resume())
        except RequestRefused:
            return
        click.echo("it was paused: going on", err=True)


def attach(project: Project) -> int:
    """Show the progress of another process's run until it ends; return the exit code.

    Ctrl-C ends this process and leaves the run alone.
    """
    click.echo("attached to the run that there is (Ctrl-C leaves it running)", err=True)
    try:
        show_progress(project, lambda: run_control.live_supervisor(project) is None)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return print_result(project, interrupted=False)


def print_result(project: Project, interrupted: bool) -> int:
    """Print the state of the project after its run; return the exit code."""
    snapshot = read_snapshot(project)
    for line in status_lines(snapshot):
        click.echo(visible(line))
    if interrupted:
        return EXIT_INTERRUPTED
    unfinished = snapshot.tasks["pending"] + snapshot.tasks["running"] + snapshot.tasks["failed"]
    return EXIT_UNFINISHED if unfinished else 0


def show_progress_safely(project: Project, ended: threading.Event) -> None:
    """Show progress until `ended` is set; a terminal that goes away must not end the run."""
    try:
        show_progress(project, ended.is_set)
    except OSError:
        return


def show_progress(project: Project, has_ended: Callable[[], bool]) -> None:
    """Show progress on stderr until the run has ended."""
    console = Console(stderr=True)
    if console.is_terminal:
        show_bars(project, console, has_ended)
    else:
        show_lines(project, has_ended)


def show_bars(project: Project, console: Console, has_ended: Callable[[], bool]) -> None:
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:.1f}/s", markup=False),
        TimeRemainingColumn(),
    )
    reader = SnapshotReader(project)
    paused, outages = False, OutageReporter()
    with Progress(*columns, console=console) as bars:
        bar_ids: dict[int, Any] = {}
        while not has_ended():
            snapshot = read_or_none(reader)
            for model in snapshot.models if snapshot else ():
                if model.row.id not in bar_ids:
                    bar_ids[model.row.id] = bars.add_task(model.row.name, rate=0.0)
                done = model.captioned + model.failed
                bars.update(
                    bar_ids[model.row.id], total=model.total, completed=done, rate=model.rate
                )
            if snapshot and snapshot.project.paused != paused:
                paused = snapshot.project.paused
                bars.console.print(Text(visible(pause_line(snapshot))))
            for line in outages.new_lines(snapshot):
                bars.console.print(Text(visible(line)))
            time.sleep(TICK_SECONDS)


def show_lines(project: Project, has_ended: Callable[[], bool]) -> None:
    reader = SnapshotReader(project)
    paused, printed_at, outages = False, time.monotonic(), OutageReporter()
    while not has_ended():
        snapshot = read_or_none(reader)
        if snapshot and snapshot.project.paused != paused:
            paused = snapshot.project.paused
            click.echo(visible(pause_line(snapshot)), err=True)
        for line in outages.new_lines(snapshot):
            click.echo(visible(line), err=True)
        if snapshot and time.monotonic() - printed_at > LINE_SECONDS:
            printed_at = time.monotonic()
            click.echo(progress_line(snapshot), err=True)
        time.sleep(TICK_SECONDS)


class OutageReporter:
    """Reports, once each, the errors of servers that stop answering and that they answer again."""

    def __init__(self) -> None:
        self.reported: dict[int, str | None] = {}
        """The error that was last reported, by model id; None: the server answers."""

    def new_lines(self, snapshot: Snapshot | None) -> Iterator[str]:
        """Yield a line for each model whose error has changed since the last call."""
        for model in (progress.row for progress in snapshot.models) if snapshot else ():
            if model.unavailable != self.reported.get(model.id):
                self.reported[model.id] = model.unavailable
                yield f"{model.name} {describe_wait(model) or 'captions again'}"


def read_or_none(reader: SnapshotReader) -> Snapshot | None:
    """Return the newest snapshot; None while the database is busy or being repaired."""
    try:
        return reader.read()
    except DatabaseError:
        return None


def pause_line(snapshot: Snapshot) -> str:
    """Return the line that says that the project was paused, and why, or goes on."""
    if not snapshot.project.paused:
        return "going on"
    reason = snapshot.project.pause_reason or "by the user"
    return f"paused: {reason} ('mllmaug-tui resume {snapshot.folder}' goes on)"


def progress_line(snapshot: Snapshot) -> str:
    return (
        f"{snapshot.state}: {snapshot.captioned:,} of {snapshot.total:,} captions,"
        f" {snapshot.failed:,} failed, {snapshot.rate:.1f} images/s"
    )
