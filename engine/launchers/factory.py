"""The choice of the launcher, by the text that names a run's devices (a spec).

A spec is `auto`, `cpu`, `cpu:N` or `0,1,...` for devices of this machine, and
`ray:ADDRESS[,cpu:N][,ship-images]` for those of a cluster. No other module tells the two apart.
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
from engine.utils.optional_imports import import_extra

CLUSTER_PREFIX = "ray:"
"""How the spec of a run on a cluster begins."""
CLUSTER_ADDRESS = re.compile(r"auto|[^/,]+:\d+")
"""The address of a Ray cluster."""
SHIP_IMAGES = "ship-images"
"""The part of a spec that has images sent to the workers (`ray.image_shipping`)."""


@dataclass(frozen=True, slots=True)
class ClusterSpec:
    """The devices of a run on a Ray cluster."""

    address: str
    """`auto`, or host and port of the cluster."""
    cpus: int | None = None
    """Number of CPU workers on every node; None for workers on GPUs, where there are any."""
    ship_images: bool = False
    """True if images are sent to the workers, which need not see the image root."""

    @classmethod
    def parse(cls, spec: str) -> ClusterSpec | None:
        """Return None for a spec of this machine's devices. Raises `BadInput`."""
        if not spec.startswith(CLUSTER_PREFIX):
            return None
        address, *rest = spec.removeprefix(CLUSTER_PREFIX).split(",")
        ship = SHIP_IMAGES in rest
        counts = [part for part in rest if part != SHIP_IMAGES]
        if not CLUSTER_ADDRESS.fullmatch(address) or len(counts) > 1:
            raise BadInput(
                f"{spec}: write ray:auto or ray:HOST:PORT, then ,cpu:N and ,{SHIP_IMAGES}"
                " if wanted; this machine must be a node of the cluster"
            )
        return cls(address, cpu_count(counts[0]) if counts else None, ship)


def cpu_count(text: str) -> int:
    """Return the number of CPU workers a node for `cpu` or `cpu:N`. Raises `BadInput`."""
    kind, _, count = text.partition(":")
    workers = devices.parse_cpu_count(count) if kind == "cpu" else None
    if workers is None:
        raise BadInput(
            f"{text}: on a cluster Ray chooses the GPUs: write auto, cpu or cpu:N, with N up to"
            f" {devices.MAX_CPU_WORKERS}"
        )
    return workers


def cluster_spec(address: str, devices: str, ship_images: bool) -> str:
    """Return the spec for these options of a command. Raises `BadInput`."""
    parts = [CLUSTER_PREFIX + address]
    parts += [] if devices == "auto" else [f"cpu:{cpu_count(devices)}"]
    parts += [SHIP_IMAGES] if ship_images else []
    spec = ",".join(parts)
    ClusterSpec.parse(spec)
    return spec


def check_devices(spec: str) -> Sequence[DeviceRow]:
    """Return the devices of a run on this machine, and none for a cluster.

    A cluster is asked for its devices when the run starts. Raises `BadInput` for a spec that no run
    could start on.
    """
    if ClusterSpec.parse(spec) is None:
        return devices.find_devices(spec)
    import_extra("ray", "ray", "a run on a cluster")
    return ()


def make_launcher(project: Project, spec: str, module: str = "engine.worker.worker") -> Launcher:
    """Return the launcher for a spec; `module` is the entry of its workers. Raises `BadInput`."""
    cluster = ClusterSpec.parse(spec)
    if cluster is None:
        return LocalLauncher(project, devices.find_devices(spec), module)
    ray_launcher = import_extra("engine.launchers.ray.launcher", "ray", "a run on a cluster")
    return ray_launcher.RayLauncher(project, cluster, module)  # type: ignore[no-any-return]
