"""What NVML says of the GPU: the figures that the Dashboard shows."""

from __future__ import annotations

import time

from engine.hardware.devices import GpuMonitor, find_devices
from tests.gpu.machine import Machine, parse_machine, report

SECONDS = 5.0
"""How long the first measurement may take."""


def main(machine: Machine) -> None:
    found = find_devices(machine.spec)
    report("name", found[0].label)
    if machine.imitates:
        return
    monitor = GpuMonitor(found)
    deadline = time.monotonic() + SECONDS
    while found[0].id not in monitor.latest and time.monotonic() < deadline:
        time.sleep(0.1)
    measured = monitor.latest.get(found[0].id)
    for name in ("memory_total", "memory_used", "utilisation"):
        value = getattr(measured, name, None)
        report(name, "none" if value is None else value, good=value is not None)


if __name__ == "__main__":
    main(parse_machine())
