"""A pool of processes that runs jobs on all cores and cannot outlive the process that made it."""

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

from engine.utils.cpu_count import usable_cores

JobT = TypeVar("JobT")
ResultT = TypeVar("ResultT")

MIN_JOBS = 24
"""Smallest number of jobs (shards) for which a pool is made: fewer are done in this process before
other processes have started, which takes a second or two."""
JOBS_AHEAD = 2
"""Number of jobs a core that are handed out before the first result is taken."""
WAIT_SECONDS = 0.2
"""Seconds between two calls of `on_wait` while a result is waited for."""


def map_on_all_cores(
    work: Callable[[JobT], ResultT],
    jobs: Iterable[JobT],
    min_jobs: int | None = None,
    on_wait: Callable[[], None] = lambda: None,
) -> Generator[ResultT, None, None]:
    """Yield `work(job)` for each job, in the order of the jobs.

    `work` must be a function of a module. Fewer than `min_jobs` (default: `MIN_JOBS`) jobs are done
    in this process. `on_wait` is called again and again while results of other processes are waited
    for, and once more when each has come, so that it sees all that was done for the last one.
    """
    min_jobs = MIN_JOBS if min_jobs is None else min_jobs
    stream = iter(jobs)
    first = list(islice(stream, min_jobs))
    if len(first) < min_jobs or usable_cores() == 1:
        yield from map(work, first)
        yield from map(work, stream)
        return
    with redirect_stderr(None):
        # The tracker asks `sys.stderr` for its file, and ends on the -1 that Textual's answers.
        resource_tracker.ensure_running()
    pool = ProcessPoolExecutor(
        usable_cores(),
        get_context("spawn"),
        initializer=initialize_process,
        initargs=(os.getpid(),),
    )
    try:
        waiting: deque[Future[ResultT]] = deque(pool.submit(work, job) for job in first)
        for job in stream:
            waiting.append(pool.submit(work, job))
            if len(waiting) > JOBS_AHEAD * usable_cores():
                yield wait_for_result(waiting.popleft(), on_wait)
        while waiting:
            yield wait_for_result(waiting.popleft(), on_wait)
    finally:
        pool.shutdown(cancel_futures=True)


def wait_for_result(future: Future[ResultT], on_wait: Callable[[], None]) -> ResultT:
    while not wait((future,), WAIT_SECONDS).done:
        on_wait()
    on_wait()
    return future.result()


def initialize_process(parent: int) -> None:
    """Prepare a process of the pool: it ignores Ctrl-C and ends when the process `parent` ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent to handle
    gc.disable()  # jobs make lists of plain rows, without cycles
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        os._exit(1)
