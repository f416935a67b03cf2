"""The dashboard's pane of devices: state, model, utilisation, memory, speed and shard of each."""

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
"""Shown for a figure that the device does not report."""
OTHER_COLUMNS = 43
"""Cells of all columns but the device's and the model's, with the blanks between columns."""
NARROWEST, WIDEST = 8, 20
"""Cells of the device column: enough for `cuda:10`; with a node's name at most so many."""


class ColumnWidths(NamedTuple):
    """The widths, in cells, of the two columns that take what the others leave."""

    device: int
    model: int


class DevicesPane(Pane):
    """One line for each device: its state, model, load, speed and shard."""

    TITLE = "Devices"

    def lines(self, snapshot: Snapshot, width: int) -> list[Content]:
        if not snapshot.devices:
            return [
                Content.styled(
                    "none yet: they are looked for when a run starts", "$foreground-muted"
                )
            ]
        longest = max(len(view.row.id) for view in snapshot.devices)
        device_width = min(max(NARROWEST, longest), WIDEST)
        widths = ColumnWidths(device_width, max(8, width - OTHER_COLUMNS - device_width))
        lines = [heading_line(widths), *(device_line(view, widths) for view in snapshot.devices)]
        if len(snapshot.devices) > 1 and not self.screen.has_class("-short"):
            lines.append(total_line(snapshot, widths))
        return lines


def heading_line(widths: ColumnWidths) -> Content:
    titles = columns_text(
        widths,
        device="Device",
        model="Model",
        state="State",
        utilisation="Util",
        memory="Mem GiB",
        rate="img/s",
        shard="Shard",
        done="Done",
    )
    return Content.styled("".join(titles), "$foreground-muted")


def device_line(view: DeviceView, widths: ColumnWidths) -> Content:
    worker = view.worker
    task = worker.task if worker else None
    utilisation = view.row.utilisation
    before, state, after = columns_text(
        widths,
        device=view.row.id,
        model=model_label(view),
        state=state_labels.device_label(view),
        utilisation=UNKNOWN if utilisation is None else f"{utilisation:.0f}%",
        memory=memory_label(view.row),
        rate=text.rate(worker.row.rate) if worker else "-",
        shard=f"{task.shard:05}" if task else "-",
        done=text.percent((task.count - task.left) / task.count) if task else "-",
    )
    style = content.LABEL_STYLES.get(state.strip(), "$foreground-muted")
    return Content.assemble(before, (state, style), after)


def columns_text(
    widths: ColumnWidths,
    *,
    device: str,
    model: str,
    state: str = "",
    utilisation: str = "",
    memory: str = "",
    rate: str,
    shard: str = "",
    done: str = "",
) -> tuple[str, str, str]:
    """Return a line of the table in three parts, so that the state can have its own style."""
    return (
        f"{text.fit(device, widths.device)} {text.fit(model, widths.model)} ",
        f"{state:<5}",
        f" {utilisation:>5} {memory:>8} {rate:>7} {shard:>6} {done:>5}",
    )


def model_label(view: DeviceView) -> str:
    """Return the model of the device's worker, or until when the device rests, and its pin."""
    pin = f" (pinned to {view.pinned_model})" if view.pinned_model else ""
    if view.worker is not None:
        return (view.worker.model or "-") + pin
    if view.row.state == "resting" and view.row.rest_until:
        return f"until {text.clock(view.row.rest_until)}{pin}"
    return f"-{pin}"


def memory_label(device: DeviceRow) -> str:
    """Return the used and the total memory in GiB."""
    if device.memory_used is None or device.memory_total is None:
        return UNKNOWN
    return f"{device.memory_used / GIB:.0f}/{device.memory_total / GIB:.0f}"


def total_line(snapshot: Snapshot, widths: ColumnWidths) -> Content:
    parts = columns_text(widths, device="", model="all", rate=text.rate(snapshot.rate))
    return Content.styled("".join(parts), "$foreground-muted")
