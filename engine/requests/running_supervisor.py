"""What only a running supervisor can do of a request, as the handlers see it."""

from __future__ import annotations

from typing import Protocol

from db.rows import DeviceRow


class RunDevices(Protocol):
    """The devices of a run, as far as requests change them."""

    devices: dict[str, DeviceRow]
    """The devices by id."""

    def pin(self, device_id: str, model_id: int | None) -> None:
        """Have the device work on this model only, or on any with None. Raises `KeyError`."""

    def wake(self, device_id: str) -> None:
        """Make the device ready, whatever its state. Raises `KeyError`."""

    def end_load_delays(self) -> set[int]:
        """Have no delay keep a device from loading a model; return the ids of such models."""


class RunningSupervisor(Protocol):
    """The part of requests that only a running supervisor can do."""

    def stop(self, after_shard: bool = False) -> None:
        """End the run, now or after the running shards."""

    def on_paused(self) -> None:
        """Take all tasks back from the workers."""

    def cancel_task(self, task_id: int) -> None:
        """Take one task back from its worker, if one has it."""

    def forget_witness(self) -> None:
        """Have the workers probe for missing images with the image root alone."""

    @property
    def device_pool(self) -> RunDevices:
        """The run's devices."""
