"""The application in a pseudo-terminal of 120x36: first paint, first figures, processor share, key
to repaint, and how long a key or a dialog that opens holds the application's thread.

The baselines are a Textual application with an empty screen and one with a table of 200 rows,
measured in the same run: what Textual itself costs on this machine.
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
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil

from db import progress, supervisor_writes
from db.connection import reading, writing
from engine.process import identity
from tests.bench import holds
from tests.bench.report import report
from tests.support import canned_projects as canned
from tests.support.pictures import make_captions

SETTLE_SECONDS = 4.0
WATCH_SECONDS = 15.0
QUIET_SECONDS = 3.0
KEYS = ("2", "j", "G", "k", "g", "s", "S", "4", "5", "3", "1", "?", "q", "?", "q", "2", "j", "j")
"""Help closes with q: Textual holds an escape back for a tenth of a second, to see what follows."""
ESC = "\x1b"
NEXT = "\x0e"
DIALOGS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("help", ("1", "?", ESC)),
    ("export", ("e", ESC)),
    ("new project", ("n", ESC)),
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
)
"""Each with the keys that open it, from where the one before was closed, and close it."""
LAST_DIALOGS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("statistics", (ESC, ESC, ESC, ESC, ESC, "h", "a", ESC, ESC)),
)
"""It works on behind whatever is opened next, with an object for each of the 60,000 logs."""
RUN_DIALOGS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("pin", ("2", "P", ESC)),
    ("quit", ("q", ESC)),
)
"""Those that need a run."""
Held = tuple[float, float]
SHARDS = 15_000
"""Of four models: 60,000 tasks."""

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
OURS = "import sys; from tui.cli.main import main; main(sys.argv[1:])"
WATCHED = "import sys; from tests.bench.holds import main; main(*sys.argv[1:])"


class Terminal:
    """A process in a pseudo-terminal, and everything it wrote."""

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
        if not select.select([self.master], [], [], timeout)[0]:
            return b""
        data = os.read(self.master, 1 << 16)
        self.bytes += len(data)
        return data

    def until(self, text: bytes, timeout: float = 20) -> float:
        """Seconds since the start until this was painted."""
        seen, deadline = b"", time.monotonic() + timeout
        while time.monotonic() < deadline:
            seen += self.read(0.05)
            if text in seen:
                return time.monotonic() - self.began
        raise SystemExit(f"{text!r} was not painted: {seen[-300:]!r}")

    def watch(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.read(left)

    def repaint(self, key: str) -> float:
        """Seconds from a key to the first bytes of what it changed."""
        deadline = time.monotonic() + QUIET_SECONDS  # the palette's cursor never rests
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
def terminal(code: str, *arguments: str):
    opened = Terminal(code, *arguments)
    try:
        yield opened
    finally:
        opened.close()


def first_paint(code: str, *arguments: str, text: bytes = b"mllmaug") -> float:
    """The best of three, so that the disk's cache is warm for both sides."""
    times = []
    for _ in range(3):
        with terminal(code, *arguments) as app:
            times.append(app.until(text))
    return min(times)


def share(app: Terminal) -> tuple[float, float]:
    """Per cent of a core, and bytes a second, once it has settled."""
    app.watch(SETTLE_SECONDS)
    watched = psutil.Process(app.process.pid)
    before, bytes_before, began = watched.cpu_times(), app.bytes, time.monotonic()
    app.watch(WATCH_SECONDS)
    after, seconds = watched.cpu_times(), time.monotonic() - began
    busy = after.user + after.system - before.user - before.system
    return 100 * busy / seconds, (app.bytes - bytes_before) / seconds


@contextmanager
def eight_workers(project):
    """Processes that live, and a supervisor's commit a second that moves every figure."""
    sleepers = [subprocess.Popen(["sleep", "600"]) for _ in range(8)]
    stop = threading.Event()
    with reading(project.database) as connection:
        workers = list(progress.workers(connection))
        supervisor = progress.supervisor(connection)
        tasks = progress.running_tasks(connection)
    alive = [
        replace(
            worker,
            pid=sleeper.pid,
            created=identity.started(sleeper.pid),
            boot_id=identity.boot_id(),
        )
        for worker, sleeper in zip(workers, sleepers, strict=True)
    ]
    pid, created, boot = identity.this()
    supervisor = replace(supervisor, pid=pid, created=created, boot_id=boot)

    def commit() -> None:
        moved = list(tasks)
        for tick in range(10**6):
            now = time.time()
            rows = [
                replace(worker, rate=40 + (tick * 7 + n) % 10, heartbeat=now)
                for n, worker in enumerate(alive)
            ]
            after = [
                replace(task, captioned=task.captioned + 1, left=max(0, task.left - 1))
                for task in moved
            ]
            with writing(project.database) as connection:
                supervisor_writes.save_tasks(connection, list(zip(moved, after, strict=True)))
                supervisor_writes.save_workers(connection, rows)
                supervisor_writes.save_supervisor(connection, replace(supervisor, heartbeat=now))
            moved = after
            if stop.wait(1.0):
                return

    writer = threading.Thread(target=commit)
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
    project = canned.large(folder)
    ours = first_paint(OURS, str(project.folder))
    report("ui", "first_paint", ours, "s", first_paint(EMPTY_APP))


def bench_attach(folder: Path) -> None:
    """To the first live figures of a run; the baseline is what of it an empty screen takes."""
    project = canned.busy(folder)
    with eight_workers(project):
        ours = first_paint(OURS, str(project.folder), text=b"running")
    report("ui", "attach", ours, "s", first_paint(EMPTY_APP))


def bench_idle(folder: Path) -> None:
    project = canned.large(folder)
    with terminal(EMPTY_APP) as app:
        baseline, _ = share(app)
    with terminal(OURS, str(project.folder)) as app:
        cpu, _ = share(app)
    report("ui", "idle", cpu, "% of a core", baseline)


def bench_eight_workers(folder: Path) -> None:
    project = canned.busy(folder)
    with eight_workers(project):
        with terminal(OURS, str(project.folder)) as app:
            cpu, written = share(app)
        with terminal(EMPTY_APP) as app:
            baseline, _ = share(app)
    report("ui", "eight_workers", cpu, "% of a core", baseline)
    report("ui", "eight_workers_bytes", written / 1000, "kB/s")


def bench_key(folder: Path) -> None:
    project = canned.large(folder, SHARDS)
    held = folder / "held"
    with terminal(TABLE_APP) as app:
        app.watch(SETTLE_SECONDS)
        baseline = [app.repaint("\x1b[B") for _ in range(10)]
    with terminal(WATCHED, str(held), str(project.folder)) as app:
        app.watch(SETTLE_SECONDS)
        began = time.monotonic()
        times = [(app.repaint(key), key) for key in KEYS]
        longest = holds.longest(held, began)
        opened = [hold(app, held, *dialog) for dialog in DIALOGS]
        opened += wizard_pages(app, held, folder)
        opened += [hold(app, held, *dialog) for dialog in LAST_DIALOGS]
    busy = canned.busy(folder / "busy")
    with eight_workers(busy), terminal(WATCHED, str(held), str(busy.folder)) as app:
        app.watch(SETTLE_SECONDS)
        opened += [hold(app, held, *dialog) for dialog in RUN_DIALOGS]
    middle = statistics.median(baseline)
    report("ui", "key_median", 1000 * statistics.median(t for t, _ in times), "ms", 1000 * middle)
    worst, key = max(times)
    report("ui", f"key_worst ({key})", 1000 * worst, "ms", 1000 * max(baseline))
    for name, (took, collected) in [("keys", longest), *opened]:
        case = f"hold ({name}; {collected:.0f} collecting)" if collected > 1 else f"hold ({name})"
        report("ui", case, took, "CPU ms")


def hold(app: Terminal, held: Path, name: str, keys: tuple[str, ...]) -> tuple[str, Held]:
    """The longest that one turn of the loop took while these keys were worked off."""
    began = time.monotonic()
    for key in keys:
        app.repaint(key)
    app.watch(0.6)
    return name, holds.longest(held, began)


def wizard_pages(app: Terminal, held: Path, folder: Path) -> list[tuple[str, Held]]:
    """Every page of New project, each entered for the first time."""
    captions = make_captions(folder / "data", 20)
    for key in ("1", "n", str(captions)):
        app.repaint(key)
    app.watch(1.0)
    pages = [("wizard, models", (NEXT,))]
    ticks = "\t" * 6 + " "  # to the last family, which needs no checkpoint
    pages += [("wizard, a model", (ticks,)), ("wizard, devices", (NEXT,))]
    pages += [("wizard, prompts", (NEXT,)), ("wizard, review", (NEXT,))]
    return [hold(app, held, *page) for page in pages]
