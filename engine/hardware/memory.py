"""How much memory of this machine there is for a model. No torch here."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil

CGROUPS = Path("/sys/fs/cgroup")


class Room(NamedTuple):
    """Bytes."""

    free: int
    """Pages of files that can be dropped count as free."""
    total: int


def room() -> Room:
    """Of the machine, or of the control group that ends its processes sooner."""
    machine = psutil.virtual_memory()
    found = [Room(machine.available, machine.total)]
    with suppress(OSError, ValueError):
        found += groups(Path("/proc/self/cgroup").read_text(), CGROUPS)
    return Room(min(it.free for it in found), min(it.total for it in found))


def groups(told: str, mounted: Path) -> Iterator[Room]:
    """`told` is `/proc/self/cgroup`. A limit holds for all groups inside, too.

    Raises `OSError`, `ValueError`.
    """
    for line in told.splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            root, limit, used = mounted, "memory.max", "anon"
        elif "memory" in controllers.split(","):
            root, limit, used = mounted / "memory", "memory.limit_in_bytes", "total_rss"
        else:
            continue
        inner = root / path.lstrip("/")
        for folder in (inner, *inner.parents):
            if folder.is_relative_to(root) and (folder / limit).is_file():
                yield from limited((folder / limit).read_text().strip(), folder, used)


def limited(limit: str, folder: Path, used: str) -> Iterator[Room]:
    if limit != "max":
        stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        yield Room(int(limit) - int(stat[used]), int(limit))


def is_out_of_memory(error: BaseException) -> bool:
    torch = sys.modules.get("torch")
    return isinstance(error, MemoryError) or (
        torch is not None and isinstance(error, torch.OutOfMemoryError)
    )
