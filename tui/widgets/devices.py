"""The dashboard's pane of devices: what each does and measures, and what the machine has free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from textual.content import Content

from tui.formatting import content, text
from tui.formatting.histogram import sparkline
from tui.viewmodel import state_labels
from tui.viewmodel.image_waits import image_waits
from tui.viewmodel.machine import figure, host_label, memory_label
from tui.widgets.pane import Pane

if TYPE_CHECKING:
    from tui.viewmodel.snapshot import DeviceView, Snapshot

OTHER_COLUMNS = 36
"""Cells of all columns that are always shown but the device's and the model's, with the blanks
between columns."""
SHARD_CELLS = 7
"""Cells of the column of shards, with the blank before it."""
NARROWEST, WIDEST = 8, 20
"""Cells of the device column: enough for `cuda:10`; with a node's name at most so many."""
MODEL_NARROWEST, MODEL_WIDEST = 8, 24
"""Cells of the model column: what its labels need, but at most so many where other columns could
have the room."""
TEMPERATURE_CELLS, POWER_CELLS = 5, 5
"""Cells of these columns, with the blank before them."""
RECENT_NARROWEST, RECENT_WIDEST = 5, 30
"""Cells of the bars of the last minutes, without the blank before them."""
PERCENT = 100.0


class Columns(NamedTuple):
    """Which columns there are, and the widths, in cells, of those that take what others leave."""

    device: int
    model: int
    recent: int = 0
    """Cells of the bars of the last minutes; 0 if there is no room for them."""
    shard: bool = True
    temperature: bool = False
    power: bool = False


class DevicesPane(Pane):
    """One line for each device: its state, model, load, speed and shard; what the machine has."""

    TITLE = "Devices"

    def __init__(self) -> None:
        super().__init__()
        self.shown_host = ""
        """What the machine has free, as the border shows it."""

    def show(self, snapshot: Snapshot) -> None:
        super().show(snapshot)
        host = "" if snapshot.host is None else host_label(snapshot.host)
        if host != self.shown_host:  # setting the subtitle draws the whole pane again
            self.shown_host = self.border_subtitle = host

    def lines(self, snapshot: Snapshot, width: int) -> list[Content]:
        if not snapshot.devices:
            return [
                Content.styled(
                    "none yet: they are looked for when a run starts", "$foreground-muted"
                )
            ]
        columns = choose_columns(snapshot.devices, width)
        lines = [heading_line(columns)]
        lines += [device_line(view, columns, snapshot.recent_load) for view in snapshot.devices]
        if len(snapshot.devices) > 1 and not self.screen.has_class("-short"):
            lines.append(total_line(snapshot, columns))
        if waits := image_waits(snapshot):
            lines.append(Content.styled(f"WARN {text.visible(waits)}", "$text-warning"))
        return lines


def choose_columns(devices: Sequence[DeviceView], width: int) -> Columns:
    """Return the columns that fit into `width` cells; what no device measures has none."""
    device = min(max(NARROWEST, *(len(view.row.id) for view in devices)), WIDEST)
    room = width - OTHER_COLUMNS - device
    model = min(max(MODEL_NARROWEST, *(len(model_label(view)) for view in devices)), MODEL_WIDEST)
    shard = room >= MODEL_NARROWEST + SHARD_CELLS
    left = room - SHARD_CELLS * shard - model
    temperature = left >= TEMPERATURE_CELLS and any(v.row.temperature is not None for v in devices)
    left -= TEMPERATURE_CELLS * temperature
    power = left >= POWER_CELLS and any(v.row.power is not None for v in devices)
    left -= POWER_CELLS * power
    recent = min(left - 1, RECENT_WIDEST) if left > RECENT_NARROWEST else 0
    left -= recent + 1 if recent else 0
    return Columns(device, max(MODEL_NARROWEST, model + left), recent, shard, temperature, power)


def heading_line(columns: Columns) -> Content:
    titles = columns_text(
        columns,
        device="Device",
        model="Model",
        state="State",
        utilisation="Util",
        temperature="Temp",
        power="Pow",
        memory="Mem GiB",
        rate="img/s",
        recent="5 min",
        shard="Shard",
        done="Done",
    )
    return Content.styled("".join(titles), "$foreground-muted")


def device_line(
    view: DeviceView, columns: Columns, recent_load: Mapping[str, Sequence[float]]
) -> Content:
    worker, device = view.worker, view.row
    task = worker.task if worker else None
    recent = recent_load.get(device.id, ())
    highest = max(recent, default=0.0) if device.utilisation is None else PERCENT
    before, state, after = columns_text(
        columns,
        device=device.id,
        model=model_label(view),
        state=state_labels.device_label(view),
        utilisation=figure(device.utilisation, "%"),
        temperature=figure(device.temperature, "C"),
        power=figure(device.power, "W"),
        memory=memory_label(device),
        rate=text.rate(worker.row.rate) if worker else "-",
        recent=sparkline(recent, highest, columns.recent),
        shard=f"{task.shard:05}" if task else "-",
        done=text.percent((task.count - task.left) / task.count) if task else "-",
    )
    style = content.LABEL_STYLES.get(state.strip(), "$foreground-muted")
    return Content.assemble(before, (state, style), after)


def columns_text(
    columns: Columns,
    *,
    device: str,
    model: str,
    state: str = "",
    utilisation: str = "",
    temperature: str = "",
    power: str = "",
    memory: str = "",
    rate: str,
    recent: str = "",
    shard: str = "",
    done: str = "",
) -> tuple[str, str, str]:
    """Return a line of the table in three parts, so that the state can have its own style."""
    heat = f"{temperature:>{TEMPERATURE_CELLS}}" if columns.temperature else ""
    heat += f"{power:>{POWER_CELLS}}" if columns.power else ""
    bars = f" {text.fit(recent, columns.recent)}" if columns.recent else ""
    bars += f"{shard:>{SHARD_CELLS}}" if columns.shard else ""
    return (
        f"{text.fit(device, columns.device)} {text.fit(model, columns.model)} ",
        f"{state:<5}",
        f" {utilisation:>5}{heat} {memory:>8} {rate:>7}{bars} {done:>5}",
    )


def model_label(view: DeviceView) -> str:
    """Return the model of the device's worker, or until when the device rests, and its pin."""
    pin = f" (pinned to {view.pinned_model})" if view.pinned_model else ""
    if view.worker is not None:
        return (view.worker.model or "-") + pin
    if view.row.state == "resting" and view.row.rest_until:
        return f"until {text.clock(view.row.rest_until)}{pin}"
    return f"-{pin}"


def total_line(snapshot: Snapshot, columns: Columns) -> Content:
    parts = columns_text(columns, device="", model="all", rate=text.rate(snapshot.rate))
    return Content.styled("".join(parts), "$foreground-muted")
