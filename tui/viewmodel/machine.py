"""The texts for what devices measure of themselves, and for what the machine has free."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from db.rows import DeviceRow
    from engine.hardware.host import HostFigures

GIB = 1024**3
UNKNOWN = "n/a"
"""Shown for a figure that the device does not report."""


def figure(value: float | None, unit: str) -> str:
    return UNKNOWN if value is None else f"{value:.0f}{unit}"


def memory_label(device: DeviceRow) -> str:
    """Return the used and the total memory in GiB."""
    if device.memory_used is None or device.memory_total is None:
        return UNKNOWN
    return f"{device.memory_used / GIB:.0f}/{device.memory_total / GIB:.0f}"


def measured_line(device: DeviceRow) -> str:
    """Return what a device measures of itself; empty if that is nothing."""
    parts = [
        figure(value, unit)
        for value, unit in (
            (device.utilisation, "%"),
            (device.temperature, " C"),
            (device.power, " W"),
        )
        if value is not None
    ]
    if device.memory_used is not None:
        parts.append(f"{memory_label(device)} GiB")
    return ", ".join(parts)


def host_label(host: HostFigures) -> str:
    """Return what the machine has free: memory, and room on the disk of the project."""
    memory = f"{host.memory_free / GIB:.0f} of {host.memory_total / GIB:.0f} GiB"
    return f"free: memory {memory}, disk {host.disk_free / GIB:,.0f} GiB"
