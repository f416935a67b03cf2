"""The devices of a Ray cluster, from what Ray says of its nodes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from db.rows import DeviceRow

ODD = re.compile(r"[^\w.-]")


@dataclass(frozen=True, slots=True)
class Place:
    """A device, and what an actor asks of Ray to get it."""

    device: DeviceRow
    node: str
    gpus: float
    cpus: float
    cores: int


class Nodes:
    """Names every node once; a node by the name of one that lives gets a longer name."""

    def __init__(self, cpus: int | None) -> None:
        self.cpus = cpus
        self.names: dict[str, str] = {}
        self.saw_gpu = False

    def places(self, nodes: Iterable[Mapping[str, Any]]) -> dict[str, Place]:
        """By device id. Without `cpus` the GPUs, and one CPU worker a node until one was seen: a
        GPU node that is away for a moment must not bring large models onto CPUs."""
        alive = sorted((node for node in nodes if node["Alive"]), key=lambda node: node["NodeID"])
        self.names = {
            node["NodeID"]: self.names[node["NodeID"]]
            for node in alive
            if node["NodeID"] in self.names
        }
        for node in alive:
            self.name(node)
        self.saw_gpu |= any(gpus(node) for node in alive)
        if self.cpus is None and self.saw_gpu:
            found = [place for node in alive for place in self.on_gpus(node)]
        else:
            found = [place for node in alive for place in self.on_cpus(node, self.cpus or 1)]
        return {place.device.id: place for place in sorted(found, key=lambda p: p.device.id)}

    def name(self, node: Mapping[str, Any]) -> None:
        if node["NodeID"] in self.names:
            return
        # Unless it was given one, Ray names a node by its address.
        given = node.get("NodeName") or ""
        plain = given if given != node["NodeManagerAddress"] else node["NodeManagerHostname"]
        name = ODD.sub("-", plain)
        taken = name in self.names.values()
        self.names[node["NodeID"]] = f"{name}-{node['NodeID'][:6]}" if taken else name

    def on_gpus(self, node: Mapping[str, Any]) -> list[Place]:
        count = gpus(node)
        name = self.names[node["NodeID"]]
        cores = max(1, int(node["Resources"].get("CPU", 0)) // max(1, count))
        # No CPUs are asked for: a node whose CPUs others have would keep its GPUs idle.
        return [
            Place(DeviceRow(f"{name}/gpu:{n}", accelerator(node)), node["NodeID"], 1, 0, cores)
            for n in range(count)
        ]

    def on_cpus(self, node: Mapping[str, Any], count: int) -> list[Place]:
        there = node["Resources"].get("CPU", 0.0)
        name = self.names[node["NodeID"]]
        share = there / count
        share = float(int(share)) if share > 1 else share  # Ray takes fractions of one only
        label = f"CPU, {share:g} of {there:g} cores"
        cores = max(1, int(share))
        return [
            Place(DeviceRow(f"{name}/cpu:{n}", label), node["NodeID"], 0, share, cores)
            for n in range(count if there else 0)
        ]


def gpus(node: Mapping[str, Any]) -> int:
    return int(node["Resources"].get("GPU", 0))


def accelerator(node: Mapping[str, Any]) -> str:
    kinds = [name for name in node["Resources"] if name.startswith("accelerator_type:")]
    return kinds[0].partition(":")[2] if kinds else "GPU"
