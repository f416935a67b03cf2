"""Which process is which: a recycled pid is told apart by its start time and the boot."""

from __future__ import annotations

import os
import socket
from functools import cache
from pathlib import Path

import psutil

from db.rows import SupervisorRow, WorkerRow


@cache
def boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return f"booted-{psutil.boot_time():.0f}"


def host() -> str:
    return socket.gethostname()


def started(pid: int) -> float | None:
    """When the process started (seconds since the epoch), None if there is none."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return process.create_time()
    except psutil.Error:
        return None


def own_start() -> float:
    return psutil.Process(os.getpid()).create_time()


def lives(row: SupervisorRow | WorkerRow) -> bool:
    """Whether the process a row speaks of is still that process, on this boot of this host."""
    if row.boot_id != boot_id():
        return False
    start = started(row.pid)
    return start is not None and abs(start - row.created) < 0.05
