"""Work on all cores: a pool of processes that cannot outlive the one that asked."""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ProcessPoolExecutor, wait
from contextlib import redirect_stderr
from itertools import islice
from multiprocessing import get_context, resource_tracker
from typing import TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")

FEW = 24
"""Fewer jobs (shards) are done here before other processes have started: a second or two."""
AHEAD = 2
"""Jobs a core that are handed out before the first result is taken."""


LOOK_SECONDS = 0.2
"""Between looks at how far the others are."""


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def on_all_cores(
    work: Callable[[Job], Result],
    jobs: Iterable[Job],
    few: int | None = None,
    look: Callable[[], None] = lambda: None,
) -> Generator[Result, None, None]:
    """The results in the order of the jobs. `work` must be a function of a module.

    Fewer than `few` jobs are done in this process. `look` is called while others are waited for.
    """
    few = FEW if few is None else few
    stream = iter(jobs)
    first = list(islice(stream, few))
    if len(first) < few or cores() == 1:
        yield from map(work, first)
        yield from map(work, stream)
        return
    with redirect_stderr(None):
        # It asks `sys.stderr` for its file, and ends on the -1 that Textual's answers.
        resource_tracker.ensure_running()
    pool = ProcessPoolExecutor(
        cores(), get_context("spawn"), initializer=begin, initargs=(os.getpid(),)
    )
    try:
        waiting: deque[Future[Result]] = deque(pool.submit(work, job) for job in first)
        for job in stream:
            waiting.append(pool.submit(work, job))
            if len(waiting) > AHEAD * cores():
                yield awaited(waiting.popleft(), look)
        while waiting:
            yield awaited(waiting.popleft(), look)
    finally:
        pool.shutdown(cancel_futures=True)


def awaited(future: Future[Result], look: Callable[[], None]) -> Result:
    while not wait((future,), LOOK_SECONDS).done:
        look()
    return future.result()


def begin(parent: int) -> None:
    """In the new process: leave Ctrl-C to the one that asked, and end when it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.disable()  # lists of plain rows, in no cycles
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        os._exit(1)
