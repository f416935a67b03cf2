"""How long the application's thread was held by one turn of its loop.

`python -m tests.bench.holds FILE ARGUMENT...` is the application; every turn that took long is a
line in FILE: when it ended, its CPU time in ms, and what ran.
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

    def timed(handle: Any) -> None:
        began = time.thread_time()
        run(handle)
        took = 1000 * (time.thread_time() - began)
        if took >= LEAST_MS:
            what = " ".join(repr(handle).split())[:300]
            print(f"{time.monotonic():.4f} {took:.1f} {what}", file=out)

    asyncio.Handle._run = timed  # type: ignore[method-assign]


def longest(file: Path, since: float) -> float:
    """In ms; 0 if nothing took long."""
    lines = [line.split(" ", 2) for line in file.read_text().splitlines()]
    return max((float(took) for ended, took, *_ in lines if float(ended) > since), default=0.0)


def main(file: str, *arguments: str) -> None:
    from tui.cli import main as application

    watch(Path(file))
    gc.collect()
    application(list(arguments))


if __name__ == "__main__":
    main(*sys.argv[1:])
