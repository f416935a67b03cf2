"""The devices of this machine, found without torch, and how busy they are."""

from __future__ import annotations

import os
import platform
import threading
import time
from collections.abc import Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import pynvml

from db.rows import DeviceRow
from engine.utils.errors import BadInput

MIN_FREE = 2 * 2**30
"""Bytes a GPU must have free to be taken by `auto`."""
POLL_SECONDS = 1.0


def find(spec: str) -> list[DeviceRow]:
    """Reads `auto`, `cpu`, `cpu:N` (N workers) or `0,1,...`. Raises `BadInput`."""
    if spec == "auto":
        return auto()
    kind, _, count = spec.partition(":")
    if kind == "cpu":
        if count and (not count.isdecimal() or int(count) < 1):
            raise BadInput(f"--devices {spec}: how many CPU workers? For example cpu:2")
        return cpus(int(count or 1))
    wanted = spec.removeprefix("cuda:").split(",")
    if not all(index.isdecimal() for index in wanted):
        raise BadInput(f"--devices {spec}: use auto, cpu, cpu:N or GPU numbers such as 0,1")
    known = {device.id: device for device in gpus()}
    for index in wanted:
        if f"cuda:{index}" not in known:
            raise BadInput(
                f"there is no GPU {index}: this machine has {', '.join(known) or 'none'}"
            )
    return [known[f"cuda:{index}"] for index in dict.fromkeys(wanted)]


def kind(device_id: str) -> str:
    """`cuda`, `mps`, `cpu`, or `gpu` for one that Ray counts: CUDA if there is any behind it."""
    return device_id.rpartition("/")[2].partition(":")[0]


def machine(device_id: str) -> str:
    """The node of a cluster; empty for this machine."""
    return device_id.rpartition("/")[0]


def auto() -> list[DeviceRow]:
    """The visible GPUs with free memory; else Apple's GPU; else the CPU."""
    present = gpus()
    if present:
        free = [device for device in present if (free_memory(device) or MIN_FREE) >= MIN_FREE]
        if not free:
            raise BadInput(
                "every visible GPU is full (nvidia-smi shows by whom):"
                " wait, or name the devices with --devices"
            )
        return free
    if platform.system() == "Darwin" and platform.machine() == "arm64":
        return [DeviceRow("mps", "Apple GPU")]
    return cpus(1)


def cpus(count: int) -> list[DeviceRow]:
    cores = available_cores()
    label = f"CPU, {max(1, cores // count)} of {cores} cores"
    return [DeviceRow(f"cpu:{number}", label) for number in range(count)]


def available_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def free_memory(device: DeviceRow) -> int | None:
    if device.memory_total is None or device.memory_used is None:
        return None
    return device.memory_total - device.memory_used


def gpus() -> list[DeviceRow]:
    """The NVIDIA GPUs that CUDA_VISIBLE_DEVICES leaves visible, as torch numbers them."""
    with nvml() as available:
        if not available:
            return []
        handles = [pynvml.nvmlDeviceGetHandleByIndex(i) for i in range(pynvml.nvmlDeviceGetCount())]
        present = [measure(DeviceRow(str(i), uuid=uuid_of(h)), h) for i, h in enumerate(handles)]
    return [replace(device, id=f"cuda:{number}") for number, device in enumerate(visible(present))]


def visible(present: Sequence[DeviceRow]) -> list[DeviceRow]:
    """Applies the inherited CUDA_VISIBLE_DEVICES: numbers or UUIDs, up to the first unknown."""
    listed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if listed is None:
        return list(present)
    chosen: list[DeviceRow] = []
    for name in (part.strip() for part in listed.split(",")):
        match = [d for d in present if d.id == name or (name and (d.uuid or "").startswith(name))]
        if not match:
            break
        chosen.append(match[0])
    return chosen


@contextmanager
def nvml() -> Any:
    """Whether NVML answers: no driver and no GPU are ordinary."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        yield False
        return
    try:
        yield True
    finally:
        with suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()


def uuid_of(handle: Any) -> str:
    found = pynvml.nvmlDeviceGetUUID(handle)
    return found.decode() if isinstance(found, bytes) else found


def measure(device: DeviceRow, handle: Any) -> DeviceRow:
    """Utilisation and memory; what a device does not tell (MIG) stays None."""
    values: dict[str, Any] = {}
    with suppress(pynvml.NVMLError):
        name = pynvml.nvmlDeviceGetName(handle)
        values["label"] = name.decode() if isinstance(name, bytes) else name
    with suppress(pynvml.NVMLError):
        memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
        values |= {"memory_total": int(memory.total), "memory_used": int(memory.used)}
    with suppress(pynvml.NVMLError):
        values["utilisation"] = float(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu)
    return replace(device, **values)


class Monitor:
    """Polls the GPUs in a thread: a GPU that fell off the bus can hang its driver's calls."""

    def __init__(self, devices: Sequence[DeviceRow]) -> None:
        self.devices = [device for device in devices if device.uuid]
        self.latest: dict[str, DeviceRow] = {}
        self.lost: set[str] = set()
        if self.devices:
            threading.Thread(target=self.poll, daemon=True, name="nvml").start()

    def poll(self) -> None:
        with nvml() as available:
            while available:
                for device in self.devices:
                    try:
                        handle = pynvml.nvmlDeviceGetHandleByUUID(device.uuid)
                    except pynvml.NVMLError:
                        self.lost.add(device.id)
                    else:
                        self.lost.discard(device.id)
                        self.latest[device.id] = measure(device, handle)
                time.sleep(POLL_SECONDS)
