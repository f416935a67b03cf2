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
from tui.dialogs.wizard.step import Step
from tui.formatting import text

GIB = 2**30


class Devices(Step):
    """Where it runs: one worker a device."""

    NAME = "Devices"

    @dataclass
    class Found(Message):
        spec: str
        found: tuple[DeviceRow, ...]
        trouble: str | None

    looked: Devices.Found | None = None

    def compose(self) -> ComposeResult:
        yield Label(
            "auto, cpu, cpu:N, GPUs such as 0,1, or ray:auto for a Ray cluster", classes="field"
        )
        yield Input(self.draft.devices, id="spec", compact=True)
        yield Static(id="found", markup=False, classes="seen")

    @on(Input.Changed)
    def changed(self, event: Input.Changed) -> None:
        self.soon(lambda: self.check_devices(event.value.strip()))
        self.post_message(self.Changed())

    @work(thread=True, group="devices", exclusive=True, exit_on_error=False)
    def check_devices(self, spec: str) -> None:
        try:
            self.post_message(self.Found(spec, tuple(factory.check_devices(spec)), None))
        except BadInput as error:
            self.post_message(self.Found(spec, (), str(error)))

    @on(Found)
    def was_found(self, event: Devices.Found) -> None:
        self.looked = event
        self.draft.devices, self.draft.found = event.spec, event.found
        found = [line(device) for device in event.found] or ["the nodes are found when it runs"]
        said = [event.trouble] if event.trouble else found
        self.say("#found", "\n".join(said), bad=bool(event.trouble))
        self.post_message(self.Changed())

    @property
    def looking(self) -> bool:
        return self.looked is None or self.looked.spec != self.query_one(Input).value.strip()

    def why_not(self) -> str | None:
        if self.looked is None or self.looking:
            return "looking for devices ..."
        return self.looked.trouble


def line(device: DeviceRow) -> str:
    free = devices.free_memory(device)
    room = "" if free is None else f", {free / GIB:.1f} GiB free"
    return f"{text.fit(device.id, 8)} {device.label}{room}"
