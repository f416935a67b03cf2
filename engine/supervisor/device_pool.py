"""The devices of a run: which are fit for work, which rest, which are lost."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from db.rows import DeviceRow
from engine.hardware.devices import Monitor, machine
from engine.state.policy import Policy
from engine.state.project_state import ProjectState


class DevicePool:
    def __init__(
        self, devices: Sequence[DeviceRow], project_state: ProjectState, policy: Policy
    ) -> None:
        """Pins are remembered from earlier runs."""
        self.project_state = project_state
        self.policy = policy
        self.devices = {device.id: self.with_pin(device) for device in devices}
        self.present: Sequence[DeviceRow] = devices
        """As the launcher last named them."""
        self.monitor = Monitor(devices)
        self.deaths: Counter[str] = Counter()
        """Of a device's workers, without a row between them."""
        self.proven: set[tuple[str, int]] = set()
        """Devices and models that have captioned something since the device last rested."""
        self.full: Counter[tuple[str, int]] = Counter()
        """Loads in a row for which a device had no room, by device and model id."""
        self.load_after: dict[tuple[str, int], float] = {}
        """When a load that failed may be tried again, on the monotonic clock."""

    def with_pin(self, device: DeviceRow) -> DeviceRow:
        known = self.project_state.known_devices.get(device.id)
        return replace(device, pinned_model_id=known.pinned_model_id) if known else device

    def meet(self, present: Sequence[DeviceRow]) -> list[str]:
        """Takes in devices that have come and what is new of those that stay.

        Those that have left.
        """
        if present == self.present:
            return []
        self.present = present
        for row in present:
            known = self.devices.get(row.id)
            if known is None:
                self.devices[row.id] = self.with_pin(row)
                self.project_state.event("info", f"a device has come: {row.label}", row.id)
            else:
                self.devices[row.id] = replace(
                    known,
                    label=row.label,
                    memory_total=row.memory_total,
                    memory_used=row.memory_used,
                    utilisation=row.utilisation,
                )
        left = sorted(self.devices.keys() - {row.id for row in present})
        for device_id in left:
            del self.devices[device_id]
            self.forget(device_id)
            self.project_state.event("warn", "the device has left the cluster", device_id)
        return left

    def forget(self, device_id: str) -> None:
        """What happened on a device says nothing of one that comes later by the same name."""
        self.deaths.pop(device_id, None)
        self.proven = {(device, model) for device, model in self.proven if device != device_id}
        self.load_after = {key: at for key, at in self.load_after.items() if key[0] != device_id}

    def mates(self, device_id: str) -> list[str]:
        """All devices of its machine, itself among them."""
        return [other for other in self.devices if machine(other) == machine(device_id)]

    def ready_elsewhere(self, device_id: str) -> list[str]:
        """Devices of other machines that are fit for work."""
        return [d.id for d in self.ready() if machine(d.id) != machine(device_id)]

    def loads_elsewhere(self, device_id: str, model_id: int) -> bool:
        """Whether another machine may still show that the model can be loaded."""
        return any(self.may_load(other, model_id) for other in self.ready_elsewhere(device_id))

    def rest_machine(self, device_id: str) -> None:
        for mate in self.mates(device_id):
            self.rest(mate)

    def put_off(self, device_id: str, model_id: int) -> None:
        """A model is not loaded for some time on this machine, where it or its files fail."""
        for mate in self.mates(device_id):
            self.load_later(mate, model_id, self.policy.device_rest)

    def load_later(self, device_id: str, model_id: int, seconds: float) -> None:
        self.load_after[device_id, model_id] = time.monotonic() + seconds

    def ready(self) -> list[DeviceRow]:
        return [device for device in self.devices.values() if device.state == "ready"]

    def measured(self) -> dict[str, DeviceRow]:
        """Every device with its newest utilisation and memory."""
        for device_id, latest in self.monitor.latest.items():
            self.devices[device_id] = replace(
                self.devices[device_id],
                memory_used=latest.memory_used,
                utilisation=latest.utilisation,
            )
        return dict(self.devices)

    def pin(self, device_id: str, model_id: int | None) -> None:
        """Raises `KeyError`."""
        self.devices[device_id] = replace(self.devices[device_id], pinned_model_id=model_id)

    def proved_fit(self, device_id: str, model_id: int) -> None:
        self.deaths.pop(device_id, None)
        self.proven.add((device_id, model_id))

    def is_proven(self, device_id: str, model_id: int) -> bool:
        return (device_id, model_id) in self.proven

    def on_trial(self, device_id: str, model_id: int) -> bool:
        """Whether others caption with this model and this device has not yet: it may be the cause
        of what fails on it."""
        others = (device.id for device in self.ready() if device.id != device_id)
        return not self.is_proven(device_id, model_id) and any(
            self.is_proven(other, model_id) for other in others
        )

    def count_death(self, device_id: str) -> None:
        self.deaths[device_id] += 1
        if self.deaths[device_id] >= self.policy.device_failures:
            self.rest(device_id)

    def rest(self, device_id: str) -> None:
        if device_id not in self.devices:  # it has left meanwhile
            return
        self.deaths.pop(device_id, None)
        self.proven = {(device, model) for device, model in self.proven if device != device_id}
        until = time.time() + self.policy.device_rest
        device = replace(self.devices[device_id], state="resting", rest_until=until)
        self.devices[device_id] = device
        minutes = self.policy.device_rest / 60
        self.project_state.event("warn", f"the device rests for {minutes:.0f} minutes", device_id)

    def wake(self, device_id: str) -> None:
        """Raises `KeyError`."""
        device = replace(self.devices[device_id], state="ready", rest_until=0.0)
        self.devices[device_id] = device

    def wake_rested(self) -> None:
        now = time.time()
        for device in list(self.devices.values()):
            clock_set_back = device.rest_until > now + self.policy.device_rest
            if device.state == "resting" and (now >= device.rest_until or clock_set_back):
                self.wake(device.id)

    def newly_lost(self) -> list[str]:
        """GPUs that the driver no longer finds."""
        return [d.id for d in self.ready() if d.id in self.monitor.lost]

    def lose(self, device_id: str, why: str) -> bool:
        """Whether that was the last device."""
        self.devices[device_id] = replace(self.devices[device_id], state="lost")
        self.project_state.event("fail", f"device lost: {why}", device_id)
        return all(device.state == "lost" for device in self.devices.values())

    def no_room(self, device_id: str, model_id: int) -> bool:
        """A model did not fit: its load waits, longer each time, without a strike.

        Whether it has waited often enough to say that it will never fit.
        """
        waits = self.full[device_id, model_id]
        self.full[device_id, model_id] += 1
        delay = min(self.policy.longest_delay, self.policy.memory_retry * 2**waits)
        self.load_later(device_id, model_id, delay)
        return waits >= self.policy.memory_tries

    def has_room(self, device_id: str, model_id: int) -> None:
        self.full.pop((device_id, model_id), None)

    def may_load(self, device_id: str, model_id: int) -> bool:
        return time.monotonic() >= self.load_after.get((device_id, model_id), 0.0)
