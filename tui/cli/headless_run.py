"""`mllmaug-tui run`: run a project in this process, or attach to its run, with progress.

Progress is shown on stderr: bars in a terminal, else a line now and then.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from shlex import quote
from typing import Any

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
)
from rich.text import Text

from db.connection import DatabaseError
from engine.notices.run_end import tell_what_is_due
from engine.operations import run_control
from engine.project.layout import Project
from engine.project.lock import ProjectInUse
from engine.requests.kinds import Resume
from engine.state.policy import Policy
from engine.supervisor.main import supervise
from engine.utils.errors import RequestRefused
from engine.utils.plurals import plural
from engine.utils.user_config import stops_sick_models
from tui.cli.output import failure_lines, status_lines
from tui.cli.requests import EXIT_INTERRUPTED, EXIT_UNFINISHED, EXIT_UNHEALTHY, warn
from tui.cli.run_report import RunReport
from tui.formatting import text
from tui.formatting.escape import visible
from tui.viewmodel.failed_count import failed_line
from tui.viewmodel.health import all_stopped, finished_line
from tui.viewmodel.snapshot import Snapshot
from tui.viewmodel.snapshot_reader import SnapshotReader, read_snapshot

TICK_SECONDS = 0.5
"""Seconds between two reads of the snapshot."""
LINE_SECONDS = 30.0
"""Seconds between two lines of progress where there is no terminal."""
REMINDER_SECONDS = 600.0
"""Seconds after which a line of progress that says the same is printed again all the same."""
LAST_LINES_SECONDS = 5.0
"""Seconds for which the end of a run waits until its last events are printed."""


def devices_of_last_run(project: Project) -> str:
    """Return the devices of the last run; print them if a first run would take others."""
    devices = run_control.last_devices(project)
    if devices != "auto" and run_control.live_supervisor(project) is None:
        click.echo(f"on {devices}, where it ran last (otherwise: --devices auto)", err=True)
    return devices


def refuse_other_devices(project: Project, devices: str) -> None:
    """Raise `RequestRefused` if the project runs on other devices than these."""
    running = run_control.live_supervisor(project)
    if running is not None and running.devices != devices:
        raise RequestRefused(
            f"the project runs on {running.devices} already: 'stop' it, then run it on {devices}"
        )


def start_detached(project: Project, devices: str, health_stop: bool | None = None) -> int:
    """Start the supervisor as a process of its own; return the exit code 0."""
    clear_old_pause(project)
    row = run_control.start(project, devices, health_stop=health_stop)
    click.echo(
        f"running as process {row.pid}; 'mllmaug-tui {project.folder}' shows it,"
        f" 'mllmaug-tui stop {project.folder}' ends it"
    )
    return 0


def attach_or_run(project: Project, devices: str, health_stop: bool | None = None) -> int:
    """Run the project in this process, or attach to its run; return the exit code.

    With `health_stop` False no model is stopped for the health of its captions; None is as the
    user's `config.toml` says.
    """
    deadline = time.monotonic() + run_control.ANSWER_SECONDS
    while run_control.live_supervisor(project) is None:
        clear_old_pause(project)
        try:
            return run_here(project, devices, health_stop)
        except ProjectInUse:  # another one that is starting up, or ending
            if time.monotonic() > deadline:
                raise
            time.sleep(run_control.POLL_SECONDS)
    return attach(project)


def run_here(project: Project, devices: str, health_stop: bool | None) -> int:
    """Run the project in this process; return the exit code. Raises `ProjectInUse`."""
    ended, interrupted = threading.Event(), threading.Event()
    arguments = (project, RunReport(project), ended)
    progress = threading.Thread(target=show_progress_safely, args=arguments, daemon=True)
    progress.start()
    try:
        stop = stops_sick_models() if health_stop is None else health_stop
        policy = Policy(health_stop=stop)
        supervise(project, devices, policy, on_interrupt=interrupted.set)
    finally:
        ended.set()
        progress.join(timeout=LAST_LINES_SECONDS)
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
    elsewhere = run_control.live_run(project).elsewhere
    where = "" if elsewhere is None else f", {elsewhere}"
    warn(f"attached to the current run{where} (Ctrl-C leaves it running)")
    try:
        report = RunReport(project, attached=True)
        show_progress(project, report, lambda: run_control.live_supervisor(project) is None)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    tell_what_is_due(project)  # it may have been killed
    return print_result(project, interrupted=False)


def print_result(project: Project, interrupted: bool) -> int:
    """Print the state of the project after its run; return the exit code."""
    snapshot = read_snapshot(project)
    for line in (*status_lines(snapshot), *failure_lines(project)):
        click.echo(visible(line))
    tasks = snapshot.tasks
    unfinished = tasks["pending"] + tasks["running"] + tasks["failed"]
    if finished := finished_line(snapshot):
        click.secho(visible(finished), fg="yellow")
    code = EXIT_UNFINISHED if unfinished else 0
    if all_stopped(snapshot):
        folder = quote(str(project.folder))
        warn(
            "the tasks left are of models that were stopped for the health of their captions:"
            f" change their settings, or 'mllmaug-tui resume {folder}' and run it again"
        )
        code = EXIT_UNHEALTHY
    if interrupted:
        code = EXIT_INTERRUPTED
    if unfinished:
        left = unfinished - tasks["failed"]
        warn(
            f"{plural(unfinished, 'task')} not done ({tasks['failed']:,} failed, {left:,} left):"
            f" exit code {code}"
        )
    return code


def show_progress_safely(project: Project, report: RunReport, ended: threading.Event) -> None:
    """Show progress until `ended` is set; a terminal that goes away must not end the run."""
    try:
        show_progress(project, report, ended.is_set)
    except OSError:
        return


def show_progress(project: Project, report: RunReport, has_ended: Callable[[], bool]) -> None:
    """Show progress and events on stderr until the run has ended."""
    console = Console(stderr=True)
    if console.is_terminal:
        show_bars(project, report, console, has_ended)
    else:
        show_lines(project, report, has_ended)
    for line in report.last_lines():
        click.echo(visible(line), err=True)


def show_bars(
    project: Project, report: RunReport, console: Console, has_ended: Callable[[], bool]
) -> None:
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:.1f}/s", markup=False),
        TextColumn("{task.fields[left]}", markup=False),
    )
    reader = SnapshotReader(project)
    with Progress(*columns, console=console) as bars:
        bar_ids: dict[int, Any] = {}
        while not has_ended():
            snapshot = read_or_none(reader)
            finish_times = snapshot.finish_times if snapshot else {}
            for model in snapshot.models if snapshot else ():
                if model.row.id not in bar_ids:
                    bar_ids[model.row.id] = bars.add_task(model.row.name, rate=0.0, left="-")
                bars.update(
                    bar_ids[model.row.id],
                    total=model.total,
                    completed=model.done,
                    rate=model.rate,
                    left=text.duration(finish_times.get(model.row.id)),
                )
            for line in report.new_lines(snapshot):
                bars.console.print(Text(visible(line)))
            time.sleep(TICK_SECONDS)


def show_lines(project: Project, report: RunReport, has_ended: Callable[[], bool]) -> None:
    reader = SnapshotReader(project)
    printed, printed_at = "", time.monotonic()
    while not has_ended():
        snapshot = read_or_none(reader)
        for line in report.new_lines(snapshot):
            click.echo(visible(line), err=True)
        since = time.monotonic() - printed_at
        if snapshot and since > LINE_SECONDS:
            line = progress_line(snapshot)
            if line != printed or since > REMINDER_SECONDS:
                click.echo(line, err=True)
                for reminder in report.reminders(snapshot) if line == printed else ():
                    click.echo(visible(reminder), err=True)
                printed, printed_at = line, time.monotonic()
        time.sleep(TICK_SECONDS)


def read_or_none(reader: SnapshotReader) -> Snapshot | None:
    """Return the newest snapshot; None while the database is busy or being repaired."""
    try:
        return reader.read()
    except DatabaseError:
        return None


def progress_line(snapshot: Snapshot) -> str:
    scored = f" {snapshot.scored:,} of {snapshot.to_score:,} images scored," * (
        snapshot.to_score > 0
    )
    return (
        f"{snapshot.state}: {snapshot.captioned:,} of {snapshot.total:,} captions,{scored}"
        f" {failed_line(snapshot) or 'no image failed'}, {snapshot.rate:.1f} images/s"
    )
