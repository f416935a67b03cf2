"""The host memory that a model may use: the machine's, or a control group's if that is less.

Imports no torch.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil

CGROUP_ROOT = Path("/sys/fs/cgroup")
"""The folder in which Linux shows the control groups."""


class HostMemory(NamedTuple):
    """Memory in bytes, of a machine or of a control group."""

    free: int
    """Bytes that are free, including pages of files that can be dropped."""
    total: int


def host_memory() -> HostMemory:
    """Return the memory of the machine, or the limit at which the kernel ends our processes."""
    machine = psutil.virtual_memory()
    limits = [HostMemory(machine.available, machine.total)]
    with suppress(OSError, ValueError):
        limits += cgroup_limits(Path("/proc/self/cgroup").read_text(), CGROUP_ROOT)
    return HostMemory(min(limit.free for limit in limits), min(limit.total for limit in limits))


def cgroup_limits(groups: str, mounted: Path) -> Iterator[HostMemory]:
    """Yield the memory limits of this process's control groups, of version 1 or 2.

    `groups` is the content of `/proc/self/cgroup`. A limit holds for all groups inside as well.
    Raises `OSError`, `ValueError`.
    """
    for line in groups.splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:  # version 2
            root, limit, used = mounted, "memory.max", "anon"
        elif "memory" in controllers.split(","):
            root, limit, used = mounted / "memory", "memory.limit_in_bytes", "total_rss"
        else:
            continue
        inner = root / path.lstrip("/")
        for folder in (inner, *inner.parents):
            if folder.is_relative_to(root) and (folder / limit).is_file():
                yield from cgroup_limit((folder / limit).read_text().strip(), folder, used)


def cgroup_limit(limit: str, folder: Path, used: str) -> Iterator[HostMemory]:
    """Yield the limit of one group, if it has one; `used` is its key in `memory.stat`."""
    if limit != "max":
        stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        yield HostMemory(int(limit) - int(stat[used]), int(limit))


def is_out_of_memory(error: BaseException) -> bool:
    """Return True for an error that says that the host or a device had too little memory."""
    torch = sys.modules.get("torch")
    return isinstance(error, MemoryError) or (
        torch is not None and isinstance(error, torch.OutOfMemoryError)
    )


def peak_memory(device_kind: str) -> int:
    """Return the most memory that this process has had so far on its device, in bytes.

    That of a CUDA device is what torch has reserved there, of any other what was resident in the
    host's memory.
    """
    torch = sys.modules.get("torch")
    if device_kind == "cuda" and torch is not None:
        reserved: int = torch.cuda.max_memory_reserved()
        return reserved
    return peak_host_memory()


def peak_host_memory() -> int:
    """Return the most memory that this process ever had resident, in bytes."""
    with suppress(OSError, ValueError, StopIteration):
        # getrusage would count the process that was forked to start this one, too.
        lines = Path("/proc/self/status").read_text().splitlines()
        peak = next(line for line in lines if line.startswith("VmHWM:"))
        return int(peak.split()[1]) * 1024
    # macOS counts in bytes.
    peak_rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak_rss if sys.platform == "darwin" else peak_rss * 1024
