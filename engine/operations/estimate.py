"""What a run takes before it begins: time, memory, disk and money, from images, models, devices.

Where a pilot was, its figures count. Before one, a process of its own times a few layers of the
model on this machine, or counts its work and divides it by the published figures of a GPU elsewhere
(the roofline: Williams, Waterman and Patterson, 2009).
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

import msgspec

from db import projects
from db.connection import reading
from db.rows import DeviceRow, ModelRow
from engine.captioners.layer_work import ModelSize, SizingJob
from engine.captioners.model_families import FAMILIES
from engine.captioners.registry import IMPORTED, ModelChoice
from engine.demo.scenes import write_scenes
from engine.hardware.devices import device_kind
from engine.hardware.gpu_models import GpuModel
from engine.launchers.local import worker_environment
from engine.process.python_command import python_command
from engine.project.image_paths import image_paths_of
from engine.project.layout import Project
from engine.project.shard_file import read_shard
from engine.quality.alarms import HealthRecord
from engine.utils.cpu_count import usable_cores
from engine.utils.errors import BadInput

BYTES_PER_CAPTION = 400
"""Bytes that a caption takes in caption log and sheared file together, rounded up."""
IMAGES_LOOKED_AT = 8
"""Images by which the work of preparing one is measured."""
DRAWN_SIZE = (640, 480)
"""Width and height, in pixels, of images that are drawn where none are named."""
SHARE_OF_ARITHMETIC = 0.5
"""The share of a GPU's published rate that the large matrix products of vision side and prompt are
taken to reach. It was measured on no GPU."""
SHARE_OF_BANDWIDTH = 0.6
"""The share of the published bandwidth that decode steps are taken to reach. As above."""
SHARE_OF_CORES = 0.85
"""The share of a CPU's time that a run gets out of its cores: threads wait for each other, and for
the first and the last images. `tests.bench estimate` measured 0.64 to 0.85 with models that
take 10 ms an image, and 1.0 with one of 200 ms."""
PROCESS_BYTES = 450 * 10**6
"""Memory of a worker without its model: Python, torch, transformers, on a CPU."""
CONTEXT_BYTES = 600 * 10**6
"""Memory that CUDA takes on a GPU before anything is loaded."""

CORES_PER_GPU = 8
"""Cores beside each GPU of a machine elsewhere, which prepare images."""

Basis = Literal["pilot", "layers", "roofline"]
"""What a figure is from: a pilot's measurement, layers that were timed on this machine, or counts
and published figures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEstimate:
    """What one model takes. What is not known is None."""

    name: str
    basis: Basis | None
    images_per_second: float | None = None
    """On one device."""
    seconds: float | None = None
    """For all images, on all devices."""
    memory: int | None = None
    """The most memory of a device that it takes, in bytes."""
    weights: int | None = None
    """Those of its weights."""
    batch: int | None = None
    """Images of a batch."""
    note: str = ""
    """Why nothing is known, or what to look at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a whole run takes."""

    images: int
    devices: int
    device: str
    """The device in words."""
    models: tuple[ModelEstimate, ...]
    disk: int
    """Bytes of the captions."""
    seconds: float | None
    """Of all models of which it is known; None if it is of none."""
    money: float | None
    """In the currency of the price; None without a price."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The devices of a run: some of this machine, or so many of a GPU elsewhere."""

    count: int
    device: DeviceRow
    gpu: GpuModel | None = None
    """The published figures of a GPU elsewhere; None for devices of this machine."""

    @property
    def words(self) -> str:
        return self.device.label or self.device.id


def this_machine(devices: Sequence[DeviceRow]) -> Target:
    """Return some devices of this machine as the target. Workers on one CPU share its cores."""
    count = 1 if device_kind(devices[0].id) == "cpu" else len(devices)
    return Target(count=count, device=devices[0])


def estimate(
    images: int,
    models: Sequence[ModelChoice | ModelRow],
    target: Target,
    samples: Sequence[str] = (),
    price: float | None = None,
) -> Estimate:
    """Return what captioning so many images takes.

    `samples` are paths of images of the data set, by which the work of one is measured; without
    them some are drawn. `price` is that of one device an hour.
    """
    local = [model for model in models if model.family != IMPORTED]
    with tempfile.TemporaryDirectory() as folder:
        if not samples:
            write_scenes(Path(folder), IMAGES_LOOKED_AT, 1, DRAWN_SIZE)
            samples = [str(path) for path in sorted((Path(folder) / "images").iterdir())]
        estimates = tuple(estimate_model(images, it, target, samples) for it in local)
    times = [it.seconds for it in estimates if it.seconds is not None]
    seconds = sum(times) if times else None
    captions = images * sum(not FAMILIES[model.family].scores for model in local)
    return Estimate(
        images=images,
        devices=target.count,
        device=target.words,
        models=estimates,
        disk=captions * BYTES_PER_CAPTION,
        seconds=seconds,
        money=None if price is None or seconds is None else price * target.count * seconds / 3600,
    )


def estimate_model(
    images: int, model: ModelChoice | ModelRow, target: Target, samples: Sequence[str]
) -> ModelEstimate:
    """Return what one model takes, by its pilot if there was one on such a device."""
    family = FAMILIES[model.family]
    speed = HealthRecord.of(model.health).speed if isinstance(model, ModelRow) else None
    if speed is not None and target.gpu is None:
        return ModelEstimate(
            name=model.name,
            basis="pilot",
            images_per_second=speed.images_per_second,
            seconds=images / speed.images_per_second / target.count + speed.load_seconds,
            memory=speed.memory,
        )
    is_served = family.remote or family.serves
    if is_served or family.scores or family.checkpoint_form is None:
        what = "its server decides" if is_served else "only a pilot tells"
        return ModelEstimate(name=model.name, basis=None, note=what)
    try:
        size = measure_size(model, target, samples)
    except BadInput as error:
        return ModelEstimate(name=model.name, basis=None, note=str(error))
    seconds = image_seconds(size, target)
    return ModelEstimate(
        name=model.name,
        basis="layers" if target.gpu is None else "roofline",
        images_per_second=1 / seconds,
        seconds=images * seconds / target.count,
        memory=memory_of(size, target),
        weights=size.weight_bytes,
        batch=size.batch,
        note=what_does_not_fit(size, target),
    )


def measure_size(
    model: ModelChoice | ModelRow, target: Target, samples: Sequence[str]
) -> ModelSize:
    """Return the size of a model, from a process of its own. Raises `BadInput`."""
    job = SizingJob(
        family=model.family,
        checkpoint=model.checkpoint or "",
        settings=model.settings,
        device="cuda" if target.gpu else device_kind(target.device.id),
        images=list(samples),
        timed=target.gpu is None,
    )
    done = subprocess.run(  # noqa: S603 (our own interpreter and code)
        python_command("engine.captioners.sizing.measure"),
        input=msgspec.json.encode(job),
        capture_output=True,
        env=worker_environment(target.device, usable_cores()),
    )
    if done.returncode:
        lines = (done.stdout or done.stderr).decode(errors="replace").strip().splitlines()
        raise BadInput(lines[-1] if lines else f"its process ended with code {done.returncode}")
    return msgspec.json.decode(done.stdout, type=ModelSize)


def image_seconds(size: ModelSize, target: Target) -> float:
    """Return how long an image takes on one device, in seconds.

    On a GPU images are prepared while the model is busy with those before; a CPU does both.
    """
    if target.gpu is not None:
        return max(roofline_seconds(size, target.gpu), size.prepare_seconds / CORES_PER_GPU)
    caption = size.caption_seconds or 0.0
    if device_kind(target.device.id) == "cpu":
        return (size.prepare_seconds + caption) / SHARE_OF_CORES
    return max(caption, size.prepare_seconds * target.count / usable_cores())


def roofline_seconds(size: ModelSize, gpu: GpuModel) -> float:
    """Return how long an image takes on a GPU by its published figures, in seconds."""
    flops, bandwidth = gpu.flops * SHARE_OF_ARITHMETIC, gpu.bandwidth * SHARE_OF_BANDWIDTH
    read = size.step_bytes / size.batch + size.row_step_bytes
    return size.prefill_flops / flops + max(size.step_flops / flops, read / bandwidth)


def memory_of(size: ModelSize, target: Target) -> int:
    """Return the memory that a model takes with its batch, in bytes."""
    is_cpu = target.gpu is None and device_kind(target.device.id) == "cpu"
    return (
        size.weight_bytes
        + size.batch * size.row_bytes
        + (PROCESS_BYTES if is_cpu else CONTEXT_BYTES)
    )


def what_does_not_fit(size: ModelSize, target: Target) -> str:
    """Return that a device has too little memory for a model; empty if it has enough."""
    total = target.gpu.memory if target.gpu else target.device.memory_total
    if total is None or memory_of(size, target) <= total:
        return ""
    if size.weight_bytes + CONTEXT_BYTES > total:
        return "the device has too little memory: quantize=int8, or a larger one"
    return "the batch will be halved until it fits"


def samples_of(project: Project) -> list[str]:
    """Return the paths of the first images of a project."""
    with reading(project.database) as connection:
        paths = image_paths_of(project, projects.project(connection))
    records = islice(read_shard(project.shard_file(0)), IMAGES_LOOKED_AT)
    return [paths.resolve(record["image"]) for _, record in records]
