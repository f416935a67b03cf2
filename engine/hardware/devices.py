"""The devices of this machine, and how busy its GPUs are, found without torch."""

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
from engine.utils.cpu_count import usable_cores
from engine.utils.errors import BadInput

MIN_FREE_BYTES = 2 * 2**30
"""Bytes of memory that a GPU must have free for `auto` to use it."""
MILLIWATTS = 1_000
"""NVML gives powers in thousandths of a watt."""
POLL_SECONDS = 1.0
"""Seconds between two measurements of the GPUs."""


MAX_CPU_WORKERS = 1_024
"""The most CPU workers on one machine. Each is a process of its own; a run was measured with 512
(docs/scale.md), and no machine has more cores to share."""


def parse_cpu_count(count: str) -> int | None:
    """Return the number of CPU workers that the N of `cpu:N` asks for, 1 if it is empty.

    Returns None if it is no number from 1 to `MAX_CPU_WORKERS`.
    """
    if not count:
        return 1
    # The length first: Python refuses to read a number of thousands of digits.
    if not count.isdecimal() or len(count) > len(str(MAX_CPU_WORKERS)):
        return None
    return int(count) if 1 <= int(count) <= MAX_CPU_WORKERS else None


def find_devices(spec: str) -> list[DeviceRow]:
    """Return the devices that a spec names: `auto`, `cpu`, `cpu:N` (N workers) or `0,1,...`.

    Raises `BadInput`.
    """
    if spec == "auto":
        return auto_devices()
    kind, _, count = spec.partition(":")
    if kind == "cpu":
        workers = parse_cpu_count(count)
        if workers is None:
            raise BadInput(
                f"--devices {spec}: how many CPU workers? From cpu:1 to cpu:{MAX_CPU_WORKERS}"
            )
        return cpu_devices(workers)
    numbers = spec.removeprefix("cuda:").split(",")
    if not all(number.isdecimal() for number in numbers):
        raise BadInput(f"--devices {spec}: use auto, cpu, cpu:N or GPU numbers such as 0,1")
    known = {device.id: device for device in visible_gpus()}
    for number in numbers:
        if f"cuda:{number}" not in known:
            raise BadInput(
                f"there is no GPU {number}: this machine has {', '.join(known) or 'none'}"
            )
    return [known[f"cuda:{number}"] for number in dict.fromkeys(numbers)]


def device_kind(device_id: str) -> str:
    """Return `cuda`, `mps`, `cpu`, or `gpu`.

    `gpu` is a GPU that Ray counts: a CUDA device if there is a real one behind it.
    """
    return device_id.rpartition("/")[2].partition(":")[0]


def device_node(device_id: str) -> str:
    """Return the name of the cluster's node that a device belongs to; empty for this machine."""
    return device_id.rpartition("/")[0]


def auto_devices() -> list[DeviceRow]:
    """Return the visible GPUs with free memory; without a GPU Apple's, and without that the CPU.

    Raises `BadInput` if there are GPUs but all are full.
    """
    present = visible_gpus()
    if present:
        free = [device for device in present if not is_full(device)]
        if not free:
            raise BadInput(
                "every visible GPU is full (nvidia-smi shows by whom):"
                " wait, or name the devices with --devices"
            )
        return free
    if platform.system() == "Darwin" and platform.machine() == "arm64":
        return [DeviceRow(id="mps", label="Apple GPU")]
    return cpu_devices(1)


def cpu_devices(count: int) -> list[DeviceRow]:
    """Return so many devices among which the cores of this machine are shared."""
    cores = usable_cores()
    label = f"CPU, {max(1, cores // count)} of {cores} cores"
    return [DeviceRow(id=f"cpu:{number}", label=label) for number in range(count)]


def is_full(device: DeviceRow) -> bool:
    """Return True if a GPU has too little memory free; one that does not report it (MIG) is not."""
    free = free_gpu_memory(device)
    return free is not None and free < MIN_FREE_BYTES


def free_gpu_memory(device: DeviceRow) -> int | None:
    """Return the free bytes of a GPU's memory, or None if they were not measured."""
    if device.memory_total is None or device.memory_used is None:
        return None
    return device.memory_total - device.memory_used


def visible_gpus() -> list[DeviceRow]:
    """Return the NVIDIA GPUs that CUDA_VISIBLE_DEVICES leaves visible, as torch numbers them."""
    with nvml_session() as available:
        if not available:
            return []
        handles = [pynvml.nvmlDeviceGetHandleByIndex(i) for i in range(pynvml.nvmlDeviceGetCount())]
        devices = [DeviceRow(id=str(i), uuid=gpu_uuid(handle)) for i, handle in enumerate(handles)]
        present = [measure_gpu(*pair) for pair in zip(devices, handles, strict=True)]
    visible = filter_visible(present)
    return [replace(device, id=f"cuda:{number}") for number, device in enumerate(visible)]


def filter_visible(present: Sequence[DeviceRow]) -> list[DeviceRow]:
    """Return the GPUs that the inherited CUDA_VISIBLE_DEVICES names, in its order.

    It names them by numbers or UUIDs; as in CUDA, the first unknown one ends the list.
    """
    listed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if listed is None:
        return list(present)
    devices: list[DeviceRow] = []
    for name in (part.strip() for part in listed.split(",")):
        matches = [d for d in present if d.id == name or (name and (d.uuid or "").startswith(name))]
        if not matches:
            break
        devices.append(matches[0])
    return devices


@contextmanager
def nvml_session() -> Any:
    """Give True while NVML, NVIDIA's management library, can be called.

    It cannot on a machine without a driver or a GPU, which is no error.
    """
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


def gpu_uuid(handle: Any) -> str:
    uuid = pynvml.nvmlDeviceGetUUID(handle)
    return uuid.decode() if isinstance(uuid, bytes) else uuid


def measure_gpu(device: DeviceRow, handle: Any) -> DeviceRow:
    """Return the device with its name, and what it measures of itself.

    Values that the device does not report, as under MIG, stay as they are.
    """
    values: dict[str, Any] = {}
    with suppress(pynvml.NVMLError):
        name = pynvml.nvmlDeviceGetName(handle)
        values["label"] = name.decode() if isinstance(name, bytes) else name
    with suppress(pynvml.NVMLError):
        memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
        values |= {"memory_total": int(memory.total), "memory_used": int(memory.used)}
    with suppress(pynvml.NVMLError):
        values["utilisation"] = float(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu)
    with suppress(pynvml.NVMLError):
        sensor = pynvml.NVML_TEMPERATURE_GPU
        values["temperature"] = float(pynvml.nvmlDeviceGetTemperature(handle, sensor))
    with suppress(pynvml.NVMLError):
        values["power"] = pynvml.nvmlDeviceGetPowerUsage(handle) / MILLIWATTS
    with suppress(pynvml.NVMLError):
        limit = pynvml.nvmlDeviceGetEnforcedPowerLimit(handle)
        values["power_limit"] = limit / MILLIWATTS
    return replace(device, **values)


class GpuMonitor:
    """Measures GPUs again and again, in a thread of its own.

    A GPU that fell off the bus can hang the calls of its driver.
    """

    def __init__(self, devices: Sequence[DeviceRow]) -> None:
        self.devices = [device for device in devices if device.uuid]
        self.latest: dict[str, DeviceRow] = {}
        """The last measurement of each GPU, by device id."""
        self.lost: set[str] = set()
        """Ids of GPUs that their driver does not find any more."""
        if self.devices:
            threading.Thread(target=self.poll, daemon=True, name="nvml").start()

    def poll(self) -> None:
        with nvml_session() as available:
            while available:
                for device in self.devices:
                    try:
                        handle = pynvml.nvmlDeviceGetHandleByUUID(device.uuid)
                    except pynvml.NVMLError:
                        self.lost.add(device.id)
                    else:
                        self.lost.discard(device.id)
                        self.latest[device.id] = measure_gpu(device, handle)
                time.sleep(POLL_SECONDS)
