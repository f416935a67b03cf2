"""Finding the devices of this machine, with made-up GPUs."""

from __future__ import annotations

from collections.abc import Callable

import pynvml
import pytest

from db.rows import DeviceRow
from engine.hardware import devices
from engine.hardware.devices import (
    MIN_FREE_BYTES,
    auto_devices,
    filter_visible,
    find_devices,
    measure_gpu,
)
from engine.utils.errors import BadInput

TOTAL = 80 * 2**30


def gpu(number: int, free: int | None) -> DeviceRow:
    """Return a GPU with so many bytes free; None where the driver does not report them."""
    used = None if free is None else TOTAL - free
    return DeviceRow(
        id=f"cuda:{number}",
        uuid=f"GPU-{number}",
        memory_total=None if free is None else TOTAL,
        memory_used=used,
    )


SetGpus = Callable[..., None]


@pytest.fixture
def set_gpus(monkeypatch: pytest.MonkeyPatch) -> SetGpus:
    """Return a function that says which GPUs are visible."""
    monkeypatch.setattr("engine.hardware.devices.platform.system", lambda: "Linux")
    return lambda *gpus: monkeypatch.setattr(devices, "visible_gpus", lambda: list(gpus))


@pytest.mark.parametrize(
    ("free", "taken"),
    [
        (TOTAL, True),
        (MIN_FREE_BYTES, True),
        (MIN_FREE_BYTES - 1, False),
        (0, False),
        (None, True),
    ],
)
def test_a_full_gpu_is_left_out_and_one_of_unknown_memory_is_not(
    set_gpus: SetGpus, free: int | None, taken: bool
) -> None:
    set_gpus(gpu(0, TOTAL), gpu(1, free))
    assert [device.id for device in auto_devices()] == ["cuda:0", *["cuda:1"] * taken]


def test_where_all_gpus_are_full_it_says_so(set_gpus: SetGpus) -> None:
    set_gpus(gpu(0, 0), gpu(1, 1))
    with pytest.raises(BadInput, match="every visible GPU is full"):
        auto_devices()


def test_without_a_gpu_the_cpu_is_used(set_gpus: SetGpus) -> None:
    set_gpus()
    assert [device.id for device in auto_devices()] == ["cpu:0"]


@pytest.mark.parametrize(
    ("spec", "ids"),
    [
        ("auto", ["cuda:0", "cuda:1"]),
        ("cpu", ["cpu:0"]),
        ("cpu:3", ["cpu:0", "cpu:1", "cpu:2"]),
        ("1", ["cuda:1"]),
        ("cuda:1,0,1", ["cuda:1", "cuda:0"]),
    ],
)
def test_the_devices_of_a_spec(set_gpus: SetGpus, spec: str, ids: list[str]) -> None:
    set_gpus(gpu(0, TOTAL), gpu(1, TOTAL))
    assert [device.id for device in find_devices(spec)] == ids


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("cpu:0", "how many CPU workers"),
        ("cpu:x", "how many CPU workers"),
        ("cpu:1025", "From cpu:1 to cpu:1024"),
        ("cpu:" + "9" * 5_000, "From cpu:1 to cpu:1024"),
        ("tpu", "use auto, cpu, cpu:N or GPU numbers"),
        ("0,", "use auto, cpu, cpu:N or GPU numbers"),
        ("7", "there is no GPU 7: this machine has cuda:0"),
    ],
)
def test_a_spec_that_names_nothing(set_gpus: SetGpus, spec: str, message: str) -> None:
    set_gpus(gpu(0, TOTAL))
    with pytest.raises(BadInput, match=message):
        find_devices(spec)


@pytest.mark.parametrize(
    ("listed", "uuids"),
    [
        (None, ["GPU-a1", "GPU-b2", "GPU-b3"]),
        ("1,0", ["GPU-b2", "GPU-a1"]),
        ("GPU-b3, 0", ["GPU-b3", "GPU-a1"]),
        ("GPU-b", ["GPU-b2"]),
        ("0,9,1", ["GPU-a1"]),
        ("", []),
        ("-1", []),
    ],
)
def test_cuda_visible_devices_is_followed_as_cuda_does(
    monkeypatch: pytest.MonkeyPatch, listed: str | None, uuids: list[str]
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if listed is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", listed)
    present = [
        DeviceRow(id=str(n), uuid=uuid) for n, uuid in enumerate(("GPU-a1", "GPU-b2", "GPU-b3"))
    ]
    assert [device.uuid for device in filter_visible(present)] == uuids


@pytest.mark.parametrize(
    ("device_id", "kind", "node"),
    [
        ("cuda:0", "cuda", ""),
        ("mps", "mps", ""),
        ("cpu:1", "cpu", ""),
        ("node-1/gpu:0", "gpu", "node-1"),
    ],
)
def test_the_kind_and_node_of_a_device(device_id: str, kind: str, node: str) -> None:
    assert devices.device_kind(device_id) == kind
    assert devices.device_node(device_id) == node


def test_what_a_gpu_says_of_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)

    def say(name: str, value: object) -> None:
        monkeypatch.setattr(pynvml, f"nvmlDeviceGet{name}", lambda *_: value)

    for name in ("Name", "MemoryInfo", "UtilizationRates", "Temperature", "PowerUsage"):
        monkeypatch.setattr(pynvml, f"nvmlDeviceGet{name}", refuse)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetEnforcedPowerLimit", refuse)
    row = DeviceRow(id="cuda:0")
    assert measure_gpu(row, None) == row
    say("Temperature", 64)
    say("PowerUsage", 351_500)
    say("EnforcedPowerLimit", 700_000)
    measured = measure_gpu(row, None)
    assert (measured.temperature, measured.power, measured.power_limit) == (64.0, 351.5, 700.0)
