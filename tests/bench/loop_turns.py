"""How long single turns of the application's event loop take.

`python -m tests.bench.loop_turns FILE ARGUMENT...` runs the application and writes a line to FILE
for every long turn: the monotonic time at which it ended, its CPU time in ms, the part of the
garbage collector in that, and the callback that ran.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from pathlib import Path
from typing import Any

MIN_MILLISECONDS = 5.0
"""The least CPU time of a turn that is recorded."""


def record_long_turns(file: Path) -> None:
    """Record long turns from now on, in every event loop of this process."""
    run = asyncio.Handle._run
    out = file.open("a", buffering=1)
    collected = 0.0
    gc_began = 0.0

    def count_collection(phase: str, info: dict[str, int]) -> None:
        nonlocal collected, gc_began
        if phase == "start":
            gc_began = time.thread_time()
        else:
            collected += 1000 * (time.thread_time() - gc_began)

    def run_timed(handle: Any) -> None:
        nonlocal collected
        collected, began = 0.0, time.thread_time()
        run(handle)
        milliseconds = 1000 * (time.thread_time() - began)
        if milliseconds >= MIN_MILLISECONDS:
            callback = " ".join(repr(handle).split())[:300]
            print(f"{time.monotonic():.4f} {milliseconds:.1f} {collected:.1f} {callback}", file=out)

    gc.callbacks.append(count_collection)
    setattr(asyncio.Handle, "_run", run_timed)  # noqa: B010 (a method)


def longest_turn(file: Path, since: float) -> tuple[float, float]:
    """Return the CPU time of the longest turn that ended after `since`, and the collector's part.

    Both are in ms, and zero if no turn was long.
    """
    lines = (line.split(" ", 3) for line in file.read_text().splitlines())
    turns = ((float(cpu), float(gc)) for ended, cpu, gc, _ in lines if float(ended) > since)
    return max(turns, default=(0.0, 0.0))


def main(file: str, *arguments: str) -> None:
    from tui.cli.main import main as application

    record_long_turns(Path(file))
    gc.collect()
    application(list(arguments))


if __name__ == "__main__":
    main(*sys.argv[1:])
