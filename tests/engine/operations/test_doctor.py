"""The doctor's findings about devices, a project's files and its disk."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

import pytest
from PIL import Image

from db.rows import DeviceRow
from engine.hardware import devices
from engine.operations import doctor
from engine.operations.checkpoint_check import Finding
from engine.operations.doctor import GIB, examine_devices, examine_disk, examine_project
from engine.utils import jsonlines
from engine.utils.errors import BadInput
from tests.support.small_project import RECORDS, SmallProject

GPU = DeviceRow(id="cuda:0", label="H100", uuid="GPU-1", memory_total=80 * GIB, memory_used=8 * GIB)
CPU = DeviceRow(id="cpu:0", label="CPU, 8 of 8 cores")


@pytest.mark.parametrize(
    ("found", "texts"),
    [
        ([GPU], ["device cuda:0: H100, 72.0 GiB free"]),
        (
            [CPU],
            [
                "device cpu:0: CPU, 8 of 8 cores",
                "no NVIDIA GPU is visible: captioning runs on the CPU, slowly",
            ],
        ),
    ],
)
def test_devices(
    monkeypatch: pytest.MonkeyPatch, found: Sequence[DeviceRow], texts: list[str]
) -> None:
    monkeypatch.setattr(devices, "auto_devices", lambda: found)
    assert list(examine_devices()) == [Finding(True, text) for text in texts]


def test_full_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> list[DeviceRow]:
        raise BadInput("every visible GPU is full")

    monkeypatch.setattr(devices, "auto_devices", full)
    assert list(examine_devices()) == [Finding(False, "every visible GPU is full")]


@pytest.fixture
def whole(small: SmallProject, monkeypatch: pytest.MonkeyPatch) -> SmallProject:
    """The small project with its shards and three of four images; its server is not asked."""
    small.project.shards.mkdir()
    lines = [jsonlines.dumps({"image": f"{i}.png"}) + b"\n" for i in range(RECORDS)]
    for shard in range(3):
        small.project.shard_file(shard).write_bytes(b"".join(lines))
    for i in range(RECORDS - 1):
        Image.new("1", (1, 1)).save(small.project.folder / "images" / f"{i}.png")
    monkeypatch.setattr(doctor, "check_server", lambda model: [Finding(True, f"{model.name}: up")])
    monkeypatch.setattr(doctor, "network_file_system", lambda folder: None)
    return small


def test_a_project(whole: SmallProject) -> None:
    images = f"3 of the first 4 images found in {whole.project.folder}/images"
    server, found, disk = examine_project(whole.project)
    assert server == Finding(True, "served: up")
    assert found == Finding(False, images)
    assert disk.good
    Image.new("1", (1, 1)).save(whole.project.folder / "images" / "3.png")
    assert list(examine_project(whole.project))[1].good


def test_missing_shards(whole: SmallProject) -> None:
    whole.project.shard_file(1).unlink()
    whole.project.shard_file(2).unlink()
    finding = list(examine_project(whole.project))[1]
    assert finding == Finding(False, "2 shard files are missing, first 00001.jsonl")


def test_a_network_file_system(whole: SmallProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "network_file_system", lambda folder: "nfs4")
    finding = list(examine_project(whole.project))[-1]
    assert not finding.good
    assert "the project lies on nfs4" in finding.text


@pytest.mark.parametrize(
    ("free", "left", "good"),
    [(GIB, 0, True), (801, 1, True), (800, 1, False), (GIB, 10_000_000, False)],
)
def test_the_disk_must_hold_twice_what_is_left(
    small: SmallProject, monkeypatch: pytest.MonkeyPatch, free: int, left: int, good: bool
) -> None:
    monkeypatch.setattr(
        "engine.operations.doctor.shutil.disk_usage", lambda folder: SimpleNamespace(free=free)
    )
    assert examine_disk(small.project, left).good == good


@pytest.mark.parametrize(
    ("mounts", "kind"),
    [
        ([("/", "ext4")], None),
        ([("/", "ext4"), ("{folder}", "nfs")], "nfs"),
        ([("{folder}", "nfs"), ("/", "ext4")], "nfs"),
        ([("/", "nfs"), ("{folder}", "ext4")], None),
        ([("/", "ext4"), ("{folder}x", "nfs")], None),
    ],
)
def test_the_innermost_mount_counts(
    small: SmallProject,
    monkeypatch: pytest.MonkeyPatch,
    mounts: list[tuple[str, str]],
    kind: str | None,
) -> None:
    folder = small.project.folder.resolve()
    parts = [
        SimpleNamespace(mountpoint=mount.format(folder=folder), fstype=fstype)
        for mount, fstype in mounts
    ]
    monkeypatch.setattr("engine.operations.doctor.psutil.disk_partitions", lambda all: parts)
    assert doctor.network_file_system(small.project.folder) == kind
