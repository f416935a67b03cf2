"""The application in a pseudo-terminal of 120 x 36 characters.

Measured are the times to the first paint and to the first figures, the share of a CPU core, the
time from a key to its repaint, and how long a key or an opening dialog blocks the event loop. The
baselines are a Textual application with an empty screen and one with a table of 200 rows, measured
in the same run: they show what Textual itself costs on this machine.
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil

from db import progress, supervisor_writes
from db.connection import reading, writing
from engine.captioners.model_families import FAMILIES
from engine.process import identity
from engine.project.layout import Project
from tests.bench.loop_turns import longest_turn
from tests.bench.report import report
from tests.support import canned_projects
from tests.support.pictures import make_captions

SETTLE_SECONDS = 4.0
"""Seconds after which the application has started up."""
WATCH_SECONDS = 15.0
"""Seconds for which the share of a core is measured."""
QUIET_SECONDS = 3.0
"""The longest wait for a quiet screen before a key is sent."""
KEYS = ("2", "j", "G", "k", "g", "s", "S", "4", "5", "3", "1", "?", "q", "?", "q", "2", "j", "j")
"""Keys whose repaint is timed. Help is closed with q: Textual waits a tenth of a second after an
escape for what follows."""
ESC = "\x1b"
NEXT = "\x0e"
"""ctrl+n: opens the wizard, and goes to its next page."""
DIALOGS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("help", ("1", "?", ESC)),
    ("export", ("e", ESC)),
    ("new project", (NEXT, ESC)),
    ("pilot", ("T", ESC)),
    ("coverage", ("c", ESC)),
    ("lengths", ("h", ESC)),
    ("models", ("M", ESC)),
    ("model settings", ("M", "\r", ESC)),
    ("add a model", ("M", "a", ESC)),
    ("run on devices", ("u", ESC)),
    ("doctor", ("D", ESC)),
    ("reshear", ("H", ESC)),
    ("palette", (":", ESC)),
    ("confirm", ("2", "r", "n")),
    ("details", ("\r", ESC)),
    ("jump", ("3", "J", ESC)),
    ("search", ("/", ESC)),
)
"""Dialogs, each with the keys that open and close it. The keys of a dialog start from the screen on
which the dialog before it was closed."""
LAST_DIALOGS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("statistics", (ESC, ESC, ESC, ESC, ESC, "y", "h", "a", ESC, ESC)),
)
"""Dialogs that are opened last: statistics goes on working after it is closed, with an object for
each of the 60,000 logs."""
RUN_DIALOGS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("pin", ("2", "P", ESC)),
    ("quit", ("q", ESC)),
)
"""Dialogs that need a run."""
LongestTurn = tuple[float, float]
"""CPU time of the longest turn of the event loop, and the garbage collector's part, in ms."""
SHARDS = 15_000
"""Number of shards. With four models they make 60,000 tasks."""

EMPTY_APP = """
from textual.app import App
from textual.widgets import Static
class Empty(App):
    def compose(self):
        yield Static("mllmaug")
Empty().run()
"""
TABLE_APP = """
from textual.app import App
from textual.widgets import DataTable, Static
class Table(App):
    def compose(self):
        yield Static("mllmaug")
        yield DataTable(cursor_type="row")
    def on_mount(self):
        table = self.query_one(DataTable)
        table.add_columns(*(f"column {n}" for n in range(8)))
        for row in range(200):
            table.add_row(*(f"cell {row} {n}" for n in range(8)))
        table.focus()
Table().run()
"""
APPLICATION = "import sys; from tui.cli.main import main; main(sys.argv[1:])"
RECORDED_APPLICATION = "import sys; from tests.bench.loop_turns import main; main(*sys.argv[1:])"
"""Code that runs the application and records its long turns."""


class TimedTerminal:
    """A process in a pseudo-terminal. `bytes` is how much it wrote."""

    def __init__(self, code: str, *arguments: str) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 36, 120, 0, 0))
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            env=os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor"},
        )
        os.close(slave)
        self.bytes = 0

    def read(self, timeout: float) -> bytes:
        """Return what the process writes next, or nothing after `timeout` seconds."""
        if not select.select([self.master], [], [], timeout)[0]:
            return b""
        data = os.read(self.master, 1 << 16)
        self.bytes += len(data)
        return data

    def wait_for(self, text: bytes, timeout: float = 20) -> float:
        """Return the seconds from the start of the process until this text was painted."""
        output, deadline = b"", time.monotonic() + timeout
        while time.monotonic() < deadline:
            output += self.read(0.05)
            if text in output:
                return time.monotonic() - self.began
        raise SystemExit(f"{text!r} was not painted: {output[-300:]!r}")

    def read_for(self, seconds: float) -> None:
        """Take what the process writes for so many seconds."""
        deadline = time.monotonic() + seconds
        while (remaining := deadline - time.monotonic()) > 0:
            self.read(remaining)

    def repaint(self, key: str) -> float:
        """Return the seconds from a key to the first bytes of what it changed."""
        deadline = time.monotonic() + QUIET_SECONDS  # the palette's cursor never stops blinking
        while self.read(0.6) and time.monotonic() < deadline:
            pass
        began = time.monotonic()
        os.write(self.master, key.encode())
        self.read(5)
        return time.monotonic() - began

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.master)


@contextmanager
def run_in_terminal(code: str, *arguments: str) -> Iterator[TimedTerminal]:
    """Run the code in a terminal, which is closed with the block."""
    terminal = TimedTerminal(code, *arguments)
    try:
        yield terminal
    finally:
        terminal.close()


def first_paint(code: str, *arguments: str, text: bytes = b"mllmaug") -> float:
    """Return the least seconds of three starts, so that the disk's cache is warm."""
    times = []
    for _ in range(3):
        with run_in_terminal(code, *arguments) as app:
            times.append(app.wait_for(text))
    return min(times)


def cpu_and_output(app: TimedTerminal) -> tuple[float, float]:
    """Return the share of a core in per cent, and the bytes a second, once the start is over."""
    app.read_for(SETTLE_SECONDS)
    process = psutil.Process(app.process.pid)
    before, bytes_before, began = process.cpu_times(), app.bytes, time.monotonic()
    app.read_for(WATCH_SECONDS)
    after, seconds = process.cpu_times(), time.monotonic() - began
    busy = after.user + after.system - before.user - before.system
    return 100 * busy / seconds, (app.bytes - bytes_before) / seconds


@contextmanager
def eight_workers(project: Project) -> Iterator[None]:
    """Give the project's workers live processes, and commit new figures once a second."""
    sleepers = [subprocess.Popen(["sleep", "600"]) for _ in range(8)]
    stop = threading.Event()
    with reading(project.database) as connection:
        workers = list(progress.workers(connection))
        supervisor = progress.supervisor(connection)
        tasks = progress.running_tasks(connection)
    live_workers = [
        replace(
            worker,
            pid=sleeper.pid,
            created=identity.process_start(sleeper.pid) or 0.0,
            boot_id=identity.boot_id(),
        )
        for worker, sleeper in zip(workers, sleepers, strict=True)
    ]
    pid, created, boot = identity.this_process()
    assert supervisor is not None
    supervisor = replace(supervisor, pid=pid, created=created, boot_id=boot)

    def commit_every_second() -> None:
        before = list(tasks)
        for tick in range(10**6):
            now = time.time()
            rows = [
                replace(worker, rate=40 + (tick * 7 + n) % 10, heartbeat=now)
                for n, worker in enumerate(live_workers)
            ]
            after = [
                replace(task, captioned=task.captioned + 1, left=max(0, task.left - 1))
                for task in before
            ]
            with writing(project.database) as connection:
                supervisor_writes.save_tasks(connection, list(zip(before, after, strict=True)))
                supervisor_writes.save_workers(connection, rows)
                supervisor_writes.save_supervisor(connection, replace(supervisor, heartbeat=now))
            before = after
            if stop.wait(1.0):
                return

    writer = threading.Thread(target=commit_every_second)
    writer.start()
    try:
        yield
    finally:
        stop.set()
        writer.join()
        for sleeper in sleepers:
            sleeper.kill()
            sleeper.wait()


def main(cases: list[str]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for case in cases or ("first_paint", "attach", "idle", "eight_workers", "key"):
            {
                "first_paint": bench_first_paint,
                "attach": bench_attach,
                "idle": bench_idle,
                "eight_workers": bench_eight_workers,
                "key": bench_key,
            }[case](folder / case)


def bench_first_paint(folder: Path) -> None:
    project = canned_projects.make_large_project(folder)
    ours = first_paint(APPLICATION, str(project.folder))
    report("ui", "first_paint", ours, "s", first_paint(EMPTY_APP))


def bench_attach(folder: Path) -> None:
    """Report the time to the first live figures of a run; the baseline is an empty screen."""
    project = canned_projects.make_busy_project(folder)
    with eight_workers(project):
        ours = first_paint(APPLICATION, str(project.folder), text=b"running")
    report("ui", "attach", ours, "s", first_paint(EMPTY_APP))


def bench_idle(folder: Path) -> None:
    project = canned_projects.make_large_project(folder)
    with run_in_terminal(EMPTY_APP) as app:
        baseline, _ = cpu_and_output(app)
    with run_in_terminal(APPLICATION, str(project.folder)) as app:
        cpu, _ = cpu_and_output(app)
    report("ui", "idle", cpu, "% of a core", baseline)


def bench_eight_workers(folder: Path) -> None:
    project = canned_projects.make_busy_project(folder)
    with eight_workers(project):
        with run_in_terminal(APPLICATION, str(project.folder)) as app:
            cpu, written = cpu_and_output(app)
        with run_in_terminal(EMPTY_APP) as app:
            baseline, _ = cpu_and_output(app)
    report("ui", "eight_workers", cpu, "% of a core", baseline)
    report("ui", "eight_workers_bytes", written / 1000, "kB/s")


def bench_key(folder: Path) -> None:
    project = canned_projects.make_large_project(folder, SHARDS)
    turns = folder / "turns"
    with run_in_terminal(TABLE_APP) as app:
        app.read_for(SETTLE_SECONDS)
        baseline = [app.repaint("\x1b[B") for _ in range(10)]
    with run_in_terminal(RECORDED_APPLICATION, str(turns), str(project.folder)) as app:
        app.read_for(SETTLE_SECONDS)
        began = time.monotonic()
        times = [(app.repaint(key), key) for key in KEYS]
        longest = longest_turn(turns, began)
        opened = [press_keys(app, turns, *dialog) for dialog in DIALOGS]
        opened += open_wizard_pages(app, turns, folder)
        opened += [press_keys(app, turns, *dialog) for dialog in LAST_DIALOGS]
    busy = canned_projects.make_busy_project(folder / "busy")
    with (
        eight_workers(busy),
        run_in_terminal(RECORDED_APPLICATION, str(turns), str(busy.folder)) as app,
    ):
        app.read_for(SETTLE_SECONDS)
        opened += [press_keys(app, turns, *dialog) for dialog in RUN_DIALOGS]
    median, base = statistics.median(seconds for seconds, _ in times), statistics.median(baseline)
    report("ui", "key_median", 1000 * median, "ms", 1000 * base)
    worst, key = max(times)
    report("ui", f"key_worst ({key})", 1000 * worst, "ms", 1000 * max(baseline))
    for name, (cpu, collected) in [("keys", longest), *opened]:
        case = f"hold ({name}; {collected:.0f} collecting)" if collected > 1 else f"hold ({name})"
        report("ui", case, cpu, "CPU ms")


def press_keys(
    app: TimedTerminal, turns: Path, name: str, keys: tuple[str, ...]
) -> tuple[str, LongestTurn]:
    """Press the keys, and return the longest turn of the event loop meanwhile."""
    began = time.monotonic()
    for key in keys:
        app.repaint(key)
    app.read_for(0.6)
    return name, longest_turn(turns, began)


def open_wizard_pages(
    app: TimedTerminal, turns: Path, folder: Path
) -> list[tuple[str, LongestTurn]]:
    """Open each page of New project, and return the longest turn of the event loop for each."""
    captions = make_captions(folder / "data", 20)
    for key in ("1", NEXT, str(captions)):
        app.repaint(key)
    app.read_for(1.0)
    pages = [("wizard, models", (NEXT,))]
    ticks = "\t" * (len(FAMILIES) - 1) + " "  # to the last family, which needs no checkpoint
    pages += [("wizard, a model", (ticks,)), ("wizard, devices", (NEXT,))]
    pages += [("wizard, prompts", (NEXT,)), ("wizard, review", (NEXT,))]
    return [press_keys(app, turns, *page) for page in pages]
