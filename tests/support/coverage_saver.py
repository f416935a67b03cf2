"""A plugin of coverage.py that saves now and then what was measured (`make coverage`).

Most processes of a run end by SIGKILL, workers above all, and have no last moment for it.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from threading import RLock, Thread

from coverage import Coverage
from coverage.plugin_support import Plugins
from coverage.types import TConfigSectionOut

SAVE_SECONDS = 0.2
"""Seconds between two times. What the last ones of a killed process ran is not counted."""

save = Coverage.save
saving = RLock()


def coverage_init(_: Plugins, __: TConfigSectionOut) -> None:
    """Start to save; coverage.py calls this in every process that it measures."""
    if "coverage.cmdline" not in sys.modules:  # not in the first process, which ends in peace
        Thread(target=save_now_and_then, daemon=True).start()


def save_now_and_then() -> None:
    # Signals are for the threads that they would reach without this one.
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    while True:
        time.sleep(SAVE_SECONDS)
        if (measured := Coverage.current()) is not None:
            measured.save()


def save_by_one_thread(coverage: Coverage) -> None:
    """Do what `Coverage.save` does, of which two at a time crash the process: at an end by
    `os._exit` the main thread saves, too."""
    with saving:
        save(coverage)


def renew_lock() -> None:
    """Give a forked process a lock of its own: a thread of its parent may hold the other."""
    global saving
    saving = RLock()


Coverage.save = save_by_one_thread  # type: ignore[assignment, method-assign]
os.register_at_fork(after_in_child=renew_lock)
