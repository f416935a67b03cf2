"""The devices of a cluster, made from Ray's list of its nodes."""

from __future__ import annotations

from typing import Any

import pytest

from engine.hardware.devices import device_kind, device_node
from engine.launchers.factory import ClusterSpec, cluster_spec
from engine.launchers.ray.nodes import ClusterNodes
from engine.utils.errors import BadInput


def node(
    number: int, name: str = "gpu-box", alive: bool = True, **resources: float
) -> dict[str, Any]:
    return {
        "NodeID": f"{number:056x}"[::-1],
        "NodeName": f"10.0.0.{number}",
        "NodeManagerAddress": f"10.0.0.{number}",
        "NodeManagerHostname": name,
        "Alive": alive,
        "Resources": {"CPU": 8.0} | resources,
    }


def test_nodes_with_one_name_stay_apart_and_keep_theirs() -> None:
    nodes = ClusterNodes(None)
    first, second = node(1, GPU=1.0), node(2, GPU=1.0)
    assert list(nodes.slots([first])) == ["gpu-box/gpu:0"]
    both = list(nodes.slots([first, second]))
    assert both == ["gpu-box-200000/gpu:0", "gpu-box/gpu:0"]
    assert list(nodes.slots([first | {"Alive": False}, second])) == ["gpu-box-200000/gpu:0"]
    # It comes back as a new node, and its name is free.
    assert "gpu-box/gpu:0" in nodes.slots([node(3, GPU=1.0), second])


def test_cpus_work_only_where_no_gpu_was_seen() -> None:
    nodes = ClusterNodes(None)
    assert list(nodes.slots([node(1, "head")])) == ["head/cpu:0"]
    gpus: dict[str, Any] = {"GPU": 2.0, "accelerator_type:H100": 1.0}
    slots = nodes.slots([node(1, "head"), node(2, "box", **gpus)])
    assert list(slots) == ["box/gpu:0", "box/gpu:1"]
    slot = slots["box/gpu:1"]
    assert (slot.device.label, slot.gpus, slot.cpus, slot.cores) == ("H100", 1, 0, 4)
    assert nodes.slots([node(1, "head")]) == {}


@pytest.mark.parametrize(("workers", "share"), [(1, 8.0), (3, 2.0), (16, 0.5)])
def test_cpu_workers_share_a_node(workers: int, share: float) -> None:
    slots = ClusterNodes(workers).slots([node(1, "a", GPU=2.0), node(2, "b", alive=False)])
    assert len(slots) == workers
    assert {(slot.cpus, slot.gpus) for slot in slots.values()} == {(share, 0)}


def test_names_are_safe_in_file_names() -> None:
    assert list(ClusterNodes(None).slots([node(1, "../[b] x/y", GPU=1.0)])) == ["..--b--x-y/gpu:0"]


def test_machine_and_kind_of_a_device() -> None:
    assert (device_node("cuda:1"), device_kind("cuda:1")) == ("", "cuda")
    assert (device_node("a/gpu:0"), device_kind("a/gpu:0")) == ("a", "gpu")


def test_specs() -> None:
    assert ClusterSpec.parse("cpu:2") is None
    spec = cluster_spec("10.0.0.5:6379", "cpu:2", True)
    assert ClusterSpec.parse(spec) == ClusterSpec("10.0.0.5:6379", 2, True)
    assert ClusterSpec.parse("ray:auto") == ClusterSpec("auto")
    for wrong in ("ray:", "ray:ray://head:10001", "ray:auto,cpu:0", "ray:auto,0,1", "ray:auto,0"):
        with pytest.raises(BadInput):
            ClusterSpec.parse(wrong)
