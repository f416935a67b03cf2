"""The wizard's Devices page."""

from __future__ import annotations

from dataclasses import dataclass

from textual import on, work
from textual.app import ComposeResult
from textual.message import Message
from textual.widgets import Input, Label, Static

from db.rows import DeviceRow
from engine.hardware import devices
from engine.launchers import factory
from engine.utils.errors import BadInput
from tui.dialogs.wizard.step import WizardStep
from tui.formatting import text
from tui.viewmodel.new_project import ProjectDraft

GIB = 2**30


class DevicesStep(WizardStep):
    """The page for the devices of the run, which shows those found on this machine or cluster."""

    NAME = "Devices"

    @dataclass
    class DevicesChecked(Message):
        """The devices that `spec` names were searched; `error` says what is wrong with it."""

        spec: str
        devices: tuple[DeviceRow, ...]
        error: str | None

    def __init__(self, draft: ProjectDraft) -> None:
        super().__init__(draft)
        self.last_check: DevicesStep.DevicesChecked | None = None

    def compose(self) -> ComposeResult:
        yield Label(
            "auto, cpu, cpu:N, GPUs such as 0,1, or ray:auto for a Ray cluster", classes="field"
        )
        yield Input(self.draft.devices, id="spec", compact=True)
        yield Static(id="found", markup=False, classes="seen")

    @on(Input.Changed)
    def changed(self, event: Input.Changed) -> None:
        self.check_soon(lambda: self.check_devices(event.value.strip()))
        self.post_message(self.Changed())

    @work(thread=True, group="devices", exclusive=True, exit_on_error=False)
    def check_devices(self, spec: str) -> None:
        try:
            self.post_message(self.DevicesChecked(spec, tuple(factory.check_devices(spec)), None))
        except BadInput as error:
            self.post_message(self.DevicesChecked(spec, (), str(error)))

    @on(DevicesChecked)
    def devices_checked(self, event: DevicesStep.DevicesChecked) -> None:
        if event.spec != self.query_one(Input).value.strip():
            return
        self.last_check = event
        self.draft.devices, self.draft.detected_devices = event.spec, event.devices
        lines = [device_line(device) for device in event.devices]
        message = event.error or "\n".join(lines or ["the nodes are found when it runs"])
        self.show_message("#found", message, is_error=bool(event.error))
        self.post_message(self.Changed())

    @property
    def checking(self) -> bool:
        return (
            self.last_check is None or self.last_check.spec != self.query_one(Input).value.strip()
        )

    def why_not(self) -> str | None:
        if self.last_check is None or self.checking:
            return "looking for devices ..."
        return self.last_check.error


def device_line(device: DeviceRow) -> str:
    free = devices.free_gpu_memory(device)
    memory = "" if free is None else f", {free / GIB:.1f} GiB free"
    return f"{text.fit(device.id, 8)} {device.label}{memory}"
