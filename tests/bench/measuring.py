"""Measuring functions in processes of their own: seconds, CPU seconds and peak memory."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing import get_context
from typing import Any, NamedTuple

import psutil

SAMPLE_SECONDS = 0.1
"""The least time between two samples of a process's memory, in seconds."""
SAMPLE_COST = 0.01
"""The largest share of the time that sampling memory may take: a sample takes 4 ms at 640 MB."""


class Measurement(NamedTuple):
    """The cost of a function call, and its result."""

    seconds: float
    cpu: float
    """CPU seconds of the process and its children."""
    megabytes: float
    """Peak memory of the process and its children, shared pages counted once, in MiB."""
    result: Any


def measure(
    function: Callable[..., Any], *arguments: Any, preload: Sequence[str] = ()
) -> Measurement:
    """Run a function of a module in a new process.

    The modules of `preload` are imported once in a server process, from which all such processes
    are forked: they share the modules' memory.
    """
    context: Any = get_context("forkserver" if preload else "spawn")
    if preload:
        context.set_forkserver_preload(list(preload))
    receiver, sender = context.Pipe()
    process = context.Process(target=run_and_send, args=(sender, function, arguments))
    process.start()
    sender.close()
    peak, pause = 0, SAMPLE_SECONDS
    while not receiver.poll(pause):
        began = time.perf_counter()
        peak = max(peak, memory_bytes(psutil.Process(process.pid)))
        pause = max(SAMPLE_SECONDS, (time.perf_counter() - began) / SAMPLE_COST)
    seconds, cpu, result = receiver.recv()
    process.join()
    return Measurement(seconds, cpu, peak / 2**20, result)


def measure_with_steal(work: Callable[..., Any], *arguments: Any) -> tuple[Measurement, float]:
    """Measure a function. Return also the share of CPU time that the host of a virtual machine took
    away for others meanwhile."""
    before = psutil.cpu_times()
    run = measure(work, *arguments)
    after = psutil.cpu_times()
    return run, (getattr(after, "steal", 0) - getattr(before, "steal", 0)) / (
        sum(after) - sum(before)
    )


def memory_bytes(process: psutil.Process) -> int:
    """Return the memory of a process and its children in bytes, shared pages counted once."""
    total = 0
    for member in [process, *process.children(recursive=True)]:
        with suppress(psutil.Error):
            info = member.memory_full_info()
            total += getattr(info, "pss", info.uss)
    return total


def run_and_send(pipe: Any, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    """Run the function and send its seconds, CPU seconds and result."""
    began, cpu = time.perf_counter(), cpu_seconds()
    result = function(*arguments)
    pipe.send((time.perf_counter() - began, cpu_seconds() - cpu, result))


def cpu_seconds() -> float:
    """Return the CPU seconds of this process and of its children that have ended.

    On a busy machine they vary less than wall-clock seconds.
    """
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def sizes(cases: list[str], *usual: int) -> list[int]:
    """Return the sizes that the command line names, or else the usual ones."""
    return [int(case) for case in cases] or list(usual)
