"""How long the application's thread was held by one turn of its loop.

`python -m tests.bench.holds FILE ARGUMENT...` is the application; every turn that took long is a
line in FILE: when it ended, its CPU time in ms, that of the garbage collector in it, what ran.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from pathlib import Path
from typing import Any

LEAST_MS = 5.0


def watch(file: Path) -> None:
    """Times every callback of every loop of this process."""
    run = asyncio.Handle._run
    out = file.open("a", buffering=1)

    collected = 0.0
    gc_began = 0.0

    def collecting(phase: str, info: dict[str, int]) -> None:
        nonlocal collected, gc_began
        if phase == "start":
            gc_began = time.thread_time()
        else:
            collected += 1000 * (time.thread_time() - gc_began)

    def timed(handle: Any) -> None:
        nonlocal collected
        collected, began = 0.0, time.thread_time()
        run(handle)
        took = 1000 * (time.thread_time() - began)
        if took >= LEAST_MS:
            what = " ".join(repr(handle).split())[:300]
            print(f"{time.monotonic():.4f} {took:.1f} {collected:.1f} {what}", file=out)

    gc.callbacks.append(collecting)
    asyncio.Handle._run = timed  # type: ignore[method-assign]


def longest(file: Path, since: float) -> tuple[float, float]:
    """In ms, and what of it was the garbage collector's; zeros if nothing took long."""
    lines = (line.split(" ", 3) for line in file.read_text().splitlines())
    held = ((float(took), float(gc)) for ended, took, gc, _ in lines if float(ended) > since)
    return max(held, default=(0.0, 0.0))


def main(file: str, *arguments: str) -> None:
    from tui.cli.main import main as application

    watch(Path(file))
    gc.collect()
    application(list(arguments))


if __name__ == "__main__":
    main(*sys.argv[1:])
