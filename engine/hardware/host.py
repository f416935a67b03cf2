"""What the machine has free beside its GPUs: memory, and room on the disk of a project."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from engine.hardware.memory import host_memory


@dataclass(frozen=True, slots=True)
class HostFigures:
    """What this machine has free, in bytes."""

    memory_free: int
    memory_total: int
    disk_free: int
    """On the disk of the project's folder."""


def measure_host(folder: Path) -> HostFigures | None:
    """Return what this machine has free now; None if the folder is gone."""
    memory = host_memory()
    try:
        return HostFigures(memory.free, memory.total, shutil.disk_usage(folder).free)
    except OSError:
        return None
