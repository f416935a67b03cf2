"""The devices of a run: which are ready for work, which rest, which are lost.

The pool also remembers what happened on each device: deaths of its workers, models that it has
captioned with, models that it had no room for. `worker_exit` and `model_loading` use that to tell
a bad device from a bad model or task.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from db import supervisor_writes
from db.rows import DeviceRow
from engine.hardware.devices import device_node
from engine.state.policy import Policy
from engine.state.project_state import ProjectState


class DeviceMonitor(Protocol):
    """What measures the devices of a run, such as `engine.hardware.devices.GpuMonitor`."""

    latest: dict[str, DeviceRow]
    """The last measurement of each device that is measured, by device id."""
    lost: set[str]
    """Ids of devices that their driver does not find any more."""


class DevicePool:
    """The devices that a run may use now, by id, and their history since the run started.

    A device is `ready`, `resting` until `rest_until` (seconds since the epoch), or `lost` until its
    driver finds it again. Devices with the same node in their id are on one machine.
    """

    def __init__(
        self,
        devices: Sequence[DeviceRow],
        project_state: ProjectState,
        policy: Policy,
        monitor: DeviceMonitor,
    ) -> None:
        """Start with the launcher's devices, pinned as they were in earlier runs."""
        self.project_state = project_state
        self.clock = project_state.clock
        self.policy = policy
        self.devices = {device.id: self.restore_pin(device) for device in devices}
        self.listed: Sequence[DeviceRow] = devices
        """The devices as the launcher last listed them."""
        self.monitor = monitor
        self.gone: set[str] = set()
        """Ids of GPUs that were lost because the driver did not find them."""
        self.deaths: Counter[str] = Counter()
        """Deaths of a device's workers since the last row from that device, by device id."""
        self.proven: set[tuple[str, int]] = set()
        """(Device id, model id) pairs that have captioned something since the device last
        rested."""
        self.poison_in_a_row: Counter[tuple[str, int]] = Counter()
        """Records failed as poison since the last row, by (device id, model id)."""
        self.loads_without_room: Counter[tuple[str, int]] = Counter()
        """Loads in a row for which the device had no room, by (device id, model id)."""
        self.killed_loads: Counter[tuple[str, int]] = Counter()
        """Loads in a row in which the worker was killed or hung, by (device id, model id)."""
        self.lost_servers: Counter[tuple[str, int]] = Counter()
        """Servers of workers that went away since the last row, by (device id, model id)."""
        self.failed_loads: set[tuple[str, int]] = set()
        """(Device id, model id) pairs whose load failed, in the present series of failures of the
        model: a successful load of it begins a new series."""
        self.load_not_before: dict[tuple[str, int], float] = {}
        """When a model may be loaded again, on the monotonic clock, by (device id, model id)."""

    def restore_pin(self, device: DeviceRow) -> DeviceRow:
        """Return the device with the pinned model that it had when it was last seen."""
        known = self.project_state.known_devices.get(device.id)
        return replace(device, pinned_model_id=known.pinned_model_id) if known else device

    def save(self) -> None:
        """Have the next commit make these devices the ones that the screens show."""
        devices = list(self.devices.values())
        self.project_state.writes.append(
            lambda connection: supervisor_writes.set_devices(connection, devices)
        )

    def update_devices(self, listed: Sequence[DeviceRow]) -> list[str]:
        """Merge in the launcher's current list of devices.

        Returns the ids of devices that are no longer listed, which are removed.
        """
        if listed == self.listed:
            return []
        self.listed = listed
        for row in listed:
            known = self.devices.get(row.id)
            if known is None:
                self.devices[row.id] = self.restore_pin(row)
                self.project_state.event("info", f"new device: {row.label}", row.id)
            else:
                self.devices[row.id] = replace(
                    known,
                    label=row.label,
                    memory_total=row.memory_total,
                    memory_used=row.memory_used,
                    utilisation=row.utilisation,
                )
        left = sorted(self.devices.keys() - {row.id for row in listed})
        for device_id in left:
            del self.devices[device_id]
            self.forget_history(device_id)
            self.project_state.event("warn", "the device has left the cluster", device_id)
        return left

    def forget_history(self, device_id: str) -> None:
        """Forget a device that has left: its history says nothing about a later one of its name."""
        self.deaths.pop(device_id, None)
        self.proven = {(device, model) for device, model in self.proven if device != device_id}
        self.failed_loads = {key for key in self.failed_loads if key[0] != device_id}
        self.load_not_before = {
            key: at for key, at in self.load_not_before.items() if key[0] != device_id
        }
        for counter in (
            *(self.loads_without_room, self.killed_loads),
            *(self.lost_servers, self.poison_in_a_row),
        ):
            for key in [key for key in counter if key[0] == device_id]:
                del counter[key]

    def devices_of_machine(self, device_id: str) -> list[str]:
        """Return the ids of all devices on this device's machine, itself among them."""
        return [other for other in self.devices if device_node(other) == device_node(device_id)]

    def ready_on_other_machines(self, device_id: str) -> list[str]:
        """Return the ids of ready devices on machines other than this device's."""
        return [d.id for d in self.ready_devices() if device_node(d.id) != device_node(device_id)]

    def rest_machine(self, device_id: str) -> None:
        """Rest every device on this device's machine."""
        for other in self.devices_of_machine(device_id):
            self.rest(other)

    def delay_load_on_machine(self, device_id: str, model_id: int) -> None:
        """Load the model on no device of this machine for `Policy.device_rest` seconds.

        For a load that fails here only: the machine, or its copy of the files, is to blame.
        """
        for other in self.devices_of_machine(device_id):
            self.delay_load(other, model_id, self.policy.device_rest)

    def delay_load(self, device_id: str, model_id: int, seconds: float) -> None:
        """Do not load the model on this device for so many seconds at least."""
        key = device_id, model_id
        at = self.clock.monotonic() + seconds
        self.load_not_before[key] = max(at, self.load_not_before.get(key, 0.0))

    def ready_devices(self) -> list[DeviceRow]:
        """Return the devices that are neither resting nor lost."""
        return [device for device in self.devices.values() if device.state == "ready"]

    def update_measurements(self) -> dict[str, DeviceRow]:
        """Take in what the monitor measured last; return every device by id."""
        for device_id, latest in self.monitor.latest.items():
            if device_id not in self.devices:
                continue
            self.devices[device_id] = replace(
                self.devices[device_id],
                memory_used=latest.memory_used,
                utilisation=latest.utilisation,
                temperature=latest.temperature,
                power=latest.power,
                power_limit=latest.power_limit,
            )
        return dict(self.devices)

    def pin(self, device_id: str, model_id: int | None) -> None:
        """Have the device work on this model only, or on any with None. Raises `KeyError`."""
        self.devices[device_id] = replace(self.devices[device_id], pinned_model_id=model_id)

    def mark_proven(self, device_id: str, model_id: int) -> None:
        """Note that the device has captioned a record with the model, which clears its deaths."""
        self.poison_in_a_row.pop((device_id, model_id), None)
        self.lost_servers.pop((device_id, model_id), None)
        self.mark_probed(device_id, model_id)

    def mark_probed(self, device_id: str, model_id: int) -> None:
        """Note that the device has captioned something with the model, if only the probe image."""
        self.deaths.pop(device_id, None)
        self.proven.add((device_id, model_id))

    def count_poison(self, device_id: str, model_id: int) -> None:
        """Count a record that was failed as poison.

        After too many without a row between them, it is no longer believed that the records are to
        blame: the model may fail at all but the probe image.
        """
        self.poison_in_a_row[device_id, model_id] += 1
        if self.poison_in_a_row[device_id, model_id] >= self.policy.poison_in_a_row:
            self.proven.discard((device_id, model_id))

    def is_proven(self, device_id: str, model_id: int) -> bool:
        """Return True if the device has captioned with the model since it last rested."""
        return (device_id, model_id) in self.proven

    def is_on_trial(self, device_id: str, model_id: int) -> bool:
        """Return True if other ready devices have captioned with this model and this one has not.

        What fails on such a device may then be the device's fault. A device that is pinned to
        another model does not count: it will not do this one's tasks instead.
        """
        others = (
            device.id
            for device in self.ready_devices()
            if device.id != device_id and device.pinned_model_id in (None, model_id)
        )
        return not self.is_proven(device_id, model_id) and any(
            self.is_proven(other, model_id) for other in others
        )

    def needs_probe(self, device_id: str, model_id: int) -> bool:
        """Return True if the device is to caption the probe image before it gets a suspect.

        Otherwise the suspect's end would say nothing: on a device that has captioned nothing, the
        device or the model is as likely to be the cause. Where other devices have captioned with
        the model, they show it, and this device has yet to prove itself by its records.
        """
        return (
            not self.is_proven(device_id, model_id)
            and not self.is_on_trial(device_id, model_id)
            and self.poison_in_a_row[device_id, model_id] < self.policy.poison_in_a_row
        )

    def count_death(self, device_id: str) -> None:
        """Count a worker's death against its device, which rests after too many in a row."""
        self.deaths[device_id] += 1
        if self.deaths[device_id] >= self.policy.device_failures:
            self.rest(device_id)

    def rest(self, device_id: str) -> None:
        """Give the device no work for `Policy.device_rest` seconds and forget its deaths and
        what it has proven."""
        if device_id not in self.devices:  # it has left meanwhile
            return
        self.deaths.pop(device_id, None)
        self.proven = {(device, model) for device, model in self.proven if device != device_id}
        until = self.clock.time() + self.policy.device_rest
        device = replace(self.devices[device_id], state="resting", rest_until=until)
        self.devices[device_id] = device
        minutes = self.policy.device_rest / 60
        self.project_state.event("warn", f"the device rests for {minutes:.0f} minutes", device_id)

    def wake(self, device_id: str) -> None:
        """Make the device ready, whatever its state. Raises `KeyError`."""
        device = replace(self.devices[device_id], state="ready", rest_until=0.0)
        self.devices[device_id] = device

    def wake_rested(self) -> None:
        """Make the devices ready whose rest is over."""
        now = self.clock.time()
        for device in list(self.devices.values()):
            clock_set_back = device.rest_until > now + self.policy.device_rest
            if device.state == "resting" and (now >= device.rest_until or clock_set_back):
                self.wake(device.id)

    def newly_lost(self) -> list[str]:
        """Return the ids of ready GPUs that the driver no longer finds."""
        found = [d.id for d in self.ready_devices() if d.id in self.monitor.lost]
        self.gone.update(found)
        return found

    def found_again(self) -> list[str]:
        """Return the ids of GPUs that were lost, and that the driver finds again."""
        lost = {device.id for device in self.devices.values() if device.state == "lost"}
        return sorted((self.gone & lost) - self.monitor.lost)

    def mark_lost(self, device_id: str, reason: str) -> bool:
        """Use the device no more, until it is found again. Returns True if every one is lost."""
        if device_id not in self.devices:  # it has left meanwhile
            return False
        self.devices[device_id] = replace(self.devices[device_id], state="lost")
        self.project_state.event("fail", f"device lost: {reason}", device_id)
        return all(device.state == "lost" for device in self.devices.values())

    def record_no_room(self, device_id: str, model_id: int) -> bool:
        """Note that the model did not fit, and delay its next load there, longer each time.

        Returns True if it has failed to fit so often that the load counts as a failure of the
        model from now on.
        """
        self.loads_without_room[device_id, model_id] += 1
        times = self.loads_without_room[device_id, model_id]
        self.delay_load(device_id, model_id, self.load_delay(times))
        return times > self.policy.memory_tries

    def record_killed_load(self, device_id: str, model_id: int) -> int:
        """Note that the worker was killed, or hung, while it loaded the model.

        The next load there is delayed, longer each time. Returns how often that was so in a row.
        """
        self.killed_loads[device_id, model_id] += 1
        times = self.killed_loads[device_id, model_id]
        self.delay_load(device_id, model_id, self.load_delay(times))
        return times

    def record_lost_server(self, device_id: str, model_id: int) -> None:
        """Note that the server which the device's worker had started is gone.

        The next one is started at once, and later, longer each time, if no row came since.
        """
        self.lost_servers[device_id, model_id] += 1
        times = self.lost_servers[device_id, model_id]
        if times > 1:
            self.delay_load(device_id, model_id, self.policy.delay(times - 1))

    def load_delay(self, times: int) -> float:
        """Return the delay in seconds of the next load after so many in a row that ended alike."""
        return min(self.policy.longest_delay, self.policy.memory_retry * 2.0 ** (times - 1))

    def record_loaded(self, device_id: str, model_id: int) -> None:
        """Note that the device has loaded the model, which ends its series of failures."""
        self.forget_failed_loads(model_id)
        self.loads_without_room.pop((device_id, model_id), None)
        self.killed_loads.pop((device_id, model_id), None)

    def forget_failed_loads(self, model_id: int) -> None:
        self.failed_loads = {key for key in self.failed_loads if key[1] != model_id}

    def forget_loads(self, model_id: int) -> None:
        """Forget every failed load of the model: who has it tried again has it tried at once."""
        self.forget_failed_loads(model_id)
        for history in (self.loads_without_room, self.killed_loads, self.load_not_before):
            for key in [key for key in history if key[1] == model_id]:
                del history[key]

    def end_load_delays(self) -> set[int]:
        """Have no delay keep a device from loading a model; return the ids of such models."""
        now = self.clock.monotonic()
        delayed = {model_id for (_, model_id), at in self.load_not_before.items() if at > now}
        self.load_not_before.clear()
        return delayed

    def may_load(self, device_id: str, model_id: int) -> bool:
        """Return True if no delay keeps the device from loading the model now."""
        return self.clock.monotonic() >= self.load_not_before.get((device_id, model_id), 0.0)

    def seconds_until_load(self, device_id: str, model_id: int) -> float:
        """Return for how long the device loads no such model, beyond a rest of its own; or 0."""
        seconds = self.load_not_before.get((device_id, model_id), 0.0) - self.clock.monotonic()
        device = self.devices.get(device_id)
        rests = device is not None and device.rest_until - self.clock.time() >= seconds
        return 0.0 if rests else max(0.0, seconds)
