"""The devices of a Ray cluster, made from Ray's own list of its nodes (`ray.nodes()`)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from db.rows import DeviceRow

UNSAFE_CHARACTERS = re.compile(r"[^\w.-]")
"""Characters of a node's name that must not get into the names of files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """Room for one worker on a node: its device, and what an actor requests from Ray to get it."""

    device: DeviceRow
    node: str
    """Ray's id of the node."""
    gpus: float
    cpus: float
    """CPUs that Ray reserves; fractions only below 1."""
    cores: int
    """Cores that the worker may use."""


class ClusterNodes:
    """The names of a cluster's nodes and the slots that they have.

    A node keeps its name for as long as it lives; a node with the name of another living one gets a
    longer name.
    """

    def __init__(self, cpus: int | None) -> None:
        """`cpus` is the number of CPU workers on every node; None asks for GPUs."""
        self.cpus = cpus
        self.names: dict[str, str] = {}
        """Name of each living node, by Ray's id of it."""
        self.saw_gpu = False
        """True once any node had a GPU."""

    def slots(self, nodes: Iterable[Mapping[str, Any]]) -> dict[str, Slot]:
        """Return the slots of the living nodes by device id.

        Without `cpus` the slots are GPUs, and until one was seen one CPU worker a node.
        """
        alive = sorted((node for node in nodes if node["Alive"]), key=lambda node: node["NodeID"])
        self.names = {
            node["NodeID"]: self.names[node["NodeID"]]
            for node in alive
            if node["NodeID"] in self.names
        }
        for node in alive:
            self.name(node)
        # A GPU node that is away for a moment must not bring large models onto CPUs.
        self.saw_gpu |= any(gpu_count(node) for node in alive)
        if self.cpus is None and self.saw_gpu:
            slots = [slot for node in alive for slot in self.gpu_slots(node)]
        else:
            slots = [slot for node in alive for slot in self.cpu_slots(node, self.cpus or 1)]
        return {slot.device.id: slot for slot in sorted(slots, key=lambda slot: slot.device.id)}

    def name(self, node: Mapping[str, Any]) -> None:
        """Give a node its name, unless it has one."""
        if node["NodeID"] in self.names:
            return
        # Unless a node was given a name, Ray names it by its address.
        given = node.get("NodeName") or ""
        plain = given if given != node["NodeManagerAddress"] else node["NodeManagerHostname"]
        name = UNSAFE_CHARACTERS.sub("-", plain)
        taken = name in self.names.values()
        self.names[node["NodeID"]] = f"{name}-{node['NodeID'][:6]}" if taken else name

    def gpu_slots(self, node: Mapping[str, Any]) -> list[Slot]:
        """Return a slot for each GPU of a node; each gets the same share of the cores."""
        count = gpu_count(node)
        name = self.names[node["NodeID"]]
        cores = max(1, int(node["Resources"].get("CPU", 0)) // max(1, count))
        devices = [
            DeviceRow(id=f"{name}/gpu:{n}", label=accelerator_name(node)) for n in range(count)
        ]
        # No CPUs are requested: a node whose CPUs others have would keep its GPUs idle.
        return [
            Slot(device=device, node=node["NodeID"], gpus=1, cpus=0, cores=cores)
            for device in devices
        ]

    def cpu_slots(self, node: Mapping[str, Any], count: int) -> list[Slot]:
        """Return `count` slots that share the CPUs of a node; none if it has no CPUs."""
        total = node["Resources"].get("CPU", 0.0)
        name = self.names[node["NodeID"]]
        share = total / count
        share = float(int(share)) if share > 1 else share  # Ray takes fractions of one only
        label = f"CPU, {share:g} of {total:g} cores"
        cores = max(1, int(share))
        devices = [
            DeviceRow(id=f"{name}/cpu:{n}", label=label) for n in range(count if total else 0)
        ]
        return [
            Slot(device=device, node=node["NodeID"], gpus=0, cpus=share, cores=cores)
            for device in devices
        ]


def gpu_count(node: Mapping[str, Any]) -> int:
    return int(node["Resources"].get("GPU", 0))


def accelerator_name(node: Mapping[str, Any]) -> str:
    """Return Ray's name of the kind of GPU that a node has, such as H100; else `GPU`."""
    kinds = [name for name in node["Resources"] if name.startswith("accelerator_type:")]
    return kinds[0].partition(":")[2] if kinds else "GPU"
