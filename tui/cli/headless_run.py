"""`run` without the application."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

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
from engine.project.lock import Held
from engine.supervisor.main import supervise
from engine.utils.errors import Refused
from tui.cli.output import status_lines
from tui.formatting.escape import visible
from tui.viewmodel import snapshot
from tui.viewmodel.model_waiting import waiting
from tui.viewmodel.snapshot import Snapshot

if TYPE_CHECKING:
    pass

TICK_SECONDS = 0.5
LINE_SECONDS = 30.0
"""Between lines of progress where there is no terminal."""


def as_last_time(project: Project) -> str:
    """The devices of the last run, said where they are not what a first run takes."""
    place = run_control.last_devices(project)
    if place != "auto" and run_control.supervisor(project) is None:
        click.echo(f"on {place}, where it ran last (otherwise: --devices auto)", err=True)
    return place


def start_detached(project: Project, devices: str) -> int:
    clear_old_pause(project)
    row = run_control.start(project, devices)
    click.echo(
        f"running as process {row.pid}; 'mllmaug-tui {project.folder}' shows it,"
        f" 'mllmaug-tui stop {project.folder}' ends it"
    )
    return 0


def attach_or_run(project: Project, devices: str) -> int:
    """Runs the project in this process, or shows the run that there is; the exit code."""
    deadline = time.monotonic() + run_control.ANSWER_SECONDS
    while run_control.supervisor(project) is None:
        clear_old_pause(project)
        try:
            return run_here(project, devices)
        except Held:  # another one that is starting up, or ending
            if time.monotonic() > deadline:
                raise
            time.sleep(run_control.POLL_SECONDS)
    return attach(project)


def run_here(project: Project, devices: str) -> int:
    """Raises `Held`."""
    ended, interrupted = threading.Event(), threading.Event()
    showing = threading.Thread(target=show_quietly, args=(project, ended), daemon=True)
    showing.start()
    try:
        supervise(project, devices, on_interrupt=interrupted.set)
    finally:
        ended.set()
        showing.join(timeout=2 * TICK_SECONDS)
    return conclude(project, interrupted.is_set())


def clear_old_pause(project: Project) -> None:
    """A pause belongs to the run that is over: `run` means run."""
    if run_control.supervisor(project) is None and snapshot.read(project).project.paused:
        try:
            run_control.ask(project, "resume")
        except Refused:
            return
        click.echo("it was paused: going on", err=True)


def attach(project: Project) -> int:
    """Shows the run of another process until it ends; Ctrl-C only stops the showing."""
    click.echo("attached to the run that there is (Ctrl-C leaves it running)", err=True)
    try:
        show(project, lambda: run_control.supervisor(project) is None)
    except KeyboardInterrupt:
        return 130
    return conclude(project, interrupted=False)


def conclude(project: Project, interrupted: bool) -> int:
    taken = snapshot.read(project)
    for line in status_lines(taken):
        click.echo(visible(line))
    if interrupted:
        return 130
    unfinished = taken.tasks["pending"] + taken.tasks["running"] + taken.tasks["failed"]
    return 1 if unfinished else 0


def show_quietly(project: Project, ended: threading.Event) -> None:
    """A terminal that goes away must not end the run."""
    try:
        show(project, ended.is_set)
    except OSError:
        return


def show(project: Project, ended: Any) -> None:
    console = Console(stderr=True)
    if console.is_terminal:
        show_bars(project, console, ended)
    else:
        show_lines(project, ended)


def show_bars(project: Project, console: Console, ended: Any) -> None:
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:.1f}/s", markup=False),
        TimeRemainingColumn(),
    )
    reader = snapshot.Reader(project)
    paused, waits = False, Waits()
    with Progress(*columns, console=console) as bars:
        rows: dict[int, Any] = {}
        while not ended():
            taken = read_patiently(reader)
            for model in taken.models if taken else ():
                if model.row.id not in rows:
                    rows[model.row.id] = bars.add_task(model.row.name, rate=0.0)
                done = model.captioned + model.failed
                bars.update(rows[model.row.id], total=model.total, completed=done, rate=model.rate)
            if taken and taken.project.paused != paused:
                paused = taken.project.paused
                bars.console.print(Text(visible(pause_line(taken))))
            for line in waits.changed(taken):
                bars.console.print(Text(visible(line)))
            time.sleep(TICK_SECONDS)


def show_lines(project: Project, ended: Any) -> None:
    reader = snapshot.Reader(project)
    paused, printed, waits = False, time.monotonic(), Waits()
    while not ended():
        taken = read_patiently(reader)
        if taken and taken.project.paused != paused:
            paused = taken.project.paused
            click.echo(visible(pause_line(taken)), err=True)
        for line in waits.changed(taken):
            click.echo(visible(line), err=True)
        if taken and time.monotonic() - printed > LINE_SECONDS:
            printed = time.monotonic()
            click.echo(one_line(taken), err=True)
        time.sleep(TICK_SECONDS)


class Waits:
    """What has been said of models whose server does not answer."""

    def __init__(self) -> None:
        self.said: dict[int, str | None] = {}

    def changed(self, taken: Snapshot | None) -> Iterator[str]:
        for model in (it.row for it in taken.models) if taken else ():
            if model.unavailable != self.said.get(model.id):
                self.said[model.id] = model.unavailable
                yield f"{model.name} {waiting(model) or 'captions again'}"


def read_patiently(reader: snapshot.Reader) -> Snapshot | None:
    """None while the database is busy or being made good."""
    try:
        return reader.read()
    except DatabaseError:
        return None


def pause_line(taken: Snapshot) -> str:
    if not taken.project.paused:
        return "going on"
    reason = taken.project.pause_reason or "by the user"
    return f"paused: {reason} ('mllmaug-tui resume {taken.folder}' goes on)"


def one_line(taken: Snapshot) -> str:
    return (
        f"{taken.state}: {taken.captioned:,} of {taken.total:,} captions,"
        f" {taken.failed:,} failed, {taken.rate:.1f} images/s"
    )
