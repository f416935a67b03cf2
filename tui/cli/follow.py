"""`mllmaug-tui status --follow`: a line now and then until the run ends, for people's monitors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click

from db.connection import DatabaseBusy
from engine.project.layout import Project
from engine.project.protected_files import refuse_protected
from engine.utils.atomic_write import atomic_write
from engine.utils.clock import Clock, SystemClock
from engine.utils.errors import BadInput
from tui.cli.headless_run import progress_line
from tui.cli.requests import EXIT_UNFINISHED, echo, is_readonly
from tui.viewmodel.metrics import PREFIX, prometheus_text
from tui.viewmodel.snapshot import Snapshot
from tui.viewmodel.snapshot_reader import SnapshotReader
from tui.viewmodel.status import status_dict

SYSTEM_CLOCK = SystemClock()
"""The clock by which lines are printed; a test hands in its own."""
LINE_SECONDS = 60.0
"""Seconds between two lines, unless told otherwise."""
LOOK_SECONDS = 2.0
"""Seconds between two looks at whether the run has ended: the last line comes at once."""


def follow(
    project: Project,
    interval: float,
    as_json: bool,
    prometheus: Path | None,
    clock: Clock = SYSTEM_CLOCK,
) -> int:
    """Print a line every `interval` seconds and one at the end; return the exit code.

    The code is 0 if no task is left when the run has ended.
    """
    snapshot = None
    for snapshot in snapshots(project, interval, clock):
        print_status(snapshot, as_json, clock)
        if prometheus is not None:
            write_metrics(project, snapshot, prometheus, clock)
    finished = snapshot is not None and snapshot.state == "finished"
    return 0 if finished else EXIT_UNFINISHED


def snapshots(project: Project, interval: float, clock: Clock) -> Iterator[Snapshot]:
    """Yield a snapshot every `interval` seconds, the last one when no run is under way."""
    reader = SnapshotReader(project)
    due = clock.monotonic()
    try:
        while True:
            try:
                snapshot = reader.read()
            except DatabaseBusy:
                clock.sleep(LOOK_SECONDS)
                continue
            runs = snapshot.supervisor is not None or snapshot.elsewhere is not None
            if not runs or clock.monotonic() >= due:
                due = clock.monotonic() + interval
                yield snapshot
            if not runs:
                return
            clock.sleep(min(LOOK_SECONDS, interval))
    finally:
        reader.close()
        if not is_readonly():
            from engine.notices.run_end import tell_what_is_due

            tell_what_is_due(project)


def print_status(snapshot: Snapshot, as_json: bool, clock: Clock = SYSTEM_CLOCK) -> None:
    """Print one line, as JSON or for people."""
    if as_json:
        click.echo(json.dumps({"time": round(clock.time(), 3)} | status_dict(snapshot)))
    else:
        echo(progress_line(snapshot))


def write_metrics(
    project: Project, snapshot: Snapshot, out: Path, clock: Clock = SYSTEM_CLOCK
) -> None:
    """Write the metrics to a file that appears whole, in place of earlier ones.

    Raises `BadInput` if it cannot be written, or if something else lies there.
    """
    replace = out.is_file()
    if replace and not holds_metrics(out):
        raise BadInput(f"{out} exists, and holds no metrics: name another file")
    if not replace:
        refuse_protected(out, project=project)
    with atomic_write(out, replace) as part:
        part.write_bytes(prometheus_text(snapshot, clock.time()))


def holds_metrics(path: Path) -> bool:
    """Return True if a file holds metrics that this command wrote."""
    try:
        with path.open("rb") as file:
            return file.readline(200).startswith(f"# HELP {PREFIX}".encode())
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror or error}") from error
