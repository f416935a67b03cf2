"""The columns and lines of the Dashboard's pane of devices."""

from __future__ import annotations

from dataclasses import replace

import pytest

from db.rows import DeviceRow
from tests.support.canned_rows import HOST, gpu_row, worker_row
from tui.viewmodel.machine import host_label, measured_line
from tui.viewmodel.snapshot import DeviceView, LiveWorker
from tui.widgets.devices import Columns, choose_columns, device_line, heading_line

WORKER = LiveWorker(worker_row(0, "cuda:0", 1, 1), "llava-1.5", None)
GPU = DeviceView(gpu_row(0), WORKER, None)
CPU = DeviceView(DeviceRow(id="cpu:0"), WORKER, None)


@pytest.mark.parametrize(
    ("devices", "width", "columns"),
    [
        ((CPU,), 56, Columns(8, 12, shard=False)),
        ((CPU,), 60, Columns(8, 9)),
        ((CPU,), 76, Columns(8, 9, recent=15)),
        ((CPU,), 130, Columns(8, 48, recent=30)),
        ((GPU,), 60, Columns(8, 9)),
        ((GPU,), 68, Columns(8, 12, temperature=True)),
        ((GPU,), 76, Columns(8, 9, recent=5, temperature=True, power=True)),
        ((GPU,), 130, Columns(8, 38, recent=30, temperature=True, power=True)),
    ],
)
def test_columns(devices: tuple[DeviceView, ...], width: int, columns: Columns) -> None:
    assert choose_columns(devices, width) == columns
    recent = {devices[0].row.id: (20.0, 97.0)}
    lines = heading_line(columns), device_line(devices[0], columns, recent)
    assert {line.cell_length for line in lines} == {width}


def test_what_a_gpu_measures() -> None:
    columns = choose_columns((GPU,), 100)
    line = device_line(GPU, columns, {"cuda:0": (0.0, 1.0, 50.0, 100.0)}).plain
    assert "97%  71C 391W    21/80    44.1" in line
    assert " ▁▄█ " in line
    unknown = replace(GPU, row=replace(GPU.row, temperature=None, power=None, utilisation=None))
    line = device_line(unknown, columns, {"cuda:0": (22.0, 44.0)}).plain
    assert "n/a  n/a  n/a    21/80" in line
    assert " ▄█ " in line, "without a utilisation, the bars are of the speed"


def test_what_the_machine_has_free() -> None:
    assert measured_line(gpu_row(0)) == "97%, 71 C, 391 W, 21/80 GiB"
    assert measured_line(DeviceRow(id="cpu:0")) == ""
    assert host_label(HOST) == "free: memory 181 of 512 GiB, disk 1,240 GiB"
