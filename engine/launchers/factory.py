"""Where a run takes place: on this machine or on a cluster. The one place that asks.

A run's devices are named by one line of text: `auto`, `cpu`, `cpu:N`, `0,1,...` on this machine,
`ray:ADDRESS[,cpu:N][,ship-images]` on a cluster.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from db.rows import DeviceRow
from engine.hardware import devices
from engine.launchers.base import Launcher
from engine.launchers.local import LocalLauncher
from engine.project.layout import Project
from engine.utils.errors import BadInput
from engine.utils.optional_imports import extra

PREFIX = "ray:"
ADDRESS = re.compile(r"auto|[^/,]+:\d+")
SHIP = "ship-images"


@dataclass(frozen=True, slots=True)
class ClusterSpec:
    """Workers on GPUs, where there are any, or `cpus` of them on every node."""

    address: str
    cpus: int | None = None
    ship_images: bool = False

    @classmethod
    def of(cls, spec: str) -> ClusterSpec | None:
        """None where the spec speaks of this machine. Raises `BadInput`."""
        if not spec.startswith(PREFIX):
            return None
        address, *rest = spec.removeprefix(PREFIX).split(",")
        ship = SHIP in rest
        counts = [word for word in rest if word != SHIP]
        if not ADDRESS.fullmatch(address) or len(counts) > 1:
            raise BadInput(
                f"{spec}: write ray:auto or ray:HOST:PORT, then ,cpu:N and ,{SHIP} if wanted;"
                " this machine must be a node of the cluster"
            )
        return cls(address, cpu_count(counts[0]) if counts else None, ship)


def cpu_count(text: str) -> int:
    """Raises `BadInput`."""
    kind, _, count = text.partition(":")
    if kind != "cpu" or (count and not (count.isdecimal() and int(count))):
        raise BadInput(f"{text}: on a cluster Ray chooses among the GPUs; say auto, cpu or cpu:N")
    return int(count or 1)


def cluster_spec(address: str, devices: str, ship_images: bool) -> str:
    """The spec for these options. Raises `BadInput`."""
    words = [PREFIX + address]
    words += [] if devices == "auto" else [f"cpu:{cpu_count(devices)}"]
    words += [SHIP] if ship_images else []
    spec = ",".join(words)
    ClusterSpec.of(spec)
    return spec


def check_devices(spec: str) -> Sequence[DeviceRow]:
    """The devices of a run on this machine; none of a cluster, which is asked when the run starts.

    Raises `BadInput` for a spec that no run could start on.
    """
    if ClusterSpec.of(spec) is None:
        return devices.find(spec)
    extra("ray", "ray", "a run on a cluster")
    return ()


def launcher(project: Project, spec: str, module: str = "engine.worker.worker") -> Launcher:
    """Raises `BadInput`."""
    cluster = ClusterSpec.of(spec)
    if cluster is None:
        return LocalLauncher(project, devices.find(spec), module)
    found = extra("engine.launchers.ray.launcher", "ray", "a run on a cluster")
    return found.RayLauncher(project, cluster, module)  # type: ignore[no-any-return]
