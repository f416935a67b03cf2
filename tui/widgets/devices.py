from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from textual.content import Content

from tui.formatting import content, text
from tui.viewmodel import state_labels
from tui.widgets.pane import Pane

if TYPE_CHECKING:
    from db.rows import DeviceRow
    from tui.viewmodel.snapshot import DeviceView, Snapshot

GIB = 1024**3
UNKNOWN = "n/a"
FIXED = 43
"""Cells of all columns but the device's and the model's."""
LOCAL, LONGEST = 8, 20
"""Cells of a device's name: of `cuda:0`, and of one with its node at most."""


class Room(NamedTuple):
    device: int
    model: int


class Devices(Pane):
    """What each device does now."""

    TITLE = "Devices"

    def lines(self, snapshot: Snapshot, width: int) -> list[Content]:
        if not snapshot.devices:
            return [
                Content.styled(
                    "none yet: they are looked for when a run starts", "$foreground-muted"
                )
            ]
        longest = max(len(view.row.id) for view in snapshot.devices)
        names = min(max(LOCAL, longest), LONGEST)
        room = Room(names, max(8, width - FIXED - names))
        lines = [heading(room), *(line(view, room) for view in snapshot.devices)]
        if len(snapshot.devices) > 1 and not self.screen.has_class("-short"):
            lines.append(total(snapshot, room))
        return lines


def heading(room: Room) -> Content:
    names = row("Device", "Model", room, "State", "Util", "Mem GiB", "img/s", "Shard", "Done")
    return Content.styled("".join(names), "$foreground-muted")


def line(view: DeviceView, room: Room) -> Content:
    worker = view.worker
    task = worker.task if worker else None
    before, state, after = row(
        view.row.id,
        model(view),
        room,
        state_labels.device(view),
        UNKNOWN if view.row.utilisation is None else f"{view.row.utilisation:.0f}%",
        memory(view.row),
        text.rate(worker.row.rate) if worker else "-",
        f"{task.shard:05}" if task else "-",
        text.percent((task.count - task.left) / task.count) if task else "-",
    )
    style = content.STYLES.get(state.strip(), "$foreground-muted")
    return Content.assemble(before, (state, style), after)


def row(
    device: str,
    model: str,
    room: Room,
    state: str,
    util: str,
    memory: str,
    rate: str,
    shard: str,
    done: str,
) -> tuple[str, str, str]:
    return (
        f"{text.fit(device, room.device)} {text.fit(model, room.model)} ",
        f"{state:<5}",
        f" {util:>5} {memory:>8} {rate:>7} {shard:>6} {done:>5}",
    )


def model(view: DeviceView) -> str:
    pin = f" (pinned to {view.pinned})" if view.pinned else ""
    if view.worker is not None:
        return (view.worker.model or "-") + pin
    if view.row.state == "resting" and view.row.rest_until:
        return f"until {text.clock(view.row.rest_until)}{pin}"
    return f"-{pin}"


def memory(device: DeviceRow) -> str:
    if device.memory_used is None or device.memory_total is None:
        return UNKNOWN
    return f"{device.memory_used / GIB:.0f}/{device.memory_total / GIB:.0f}"


def total(snapshot: Snapshot, room: Room) -> Content:
    parts = row("", "all", room, "", "", "", text.rate(snapshot.rate), "", "")
    return Content.styled("".join(parts), "$foreground-muted")
