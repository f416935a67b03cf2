"""The doctor: findings about devices, models and a project, as text with what to do.

Each finding is a line that `doctor` prints; nothing is changed.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

from db import progress, projects
from db.connection import reading
from engine.captioners.registry import FAMILIES, Settings, check_checkpoint
from engine.hardware import devices
from engine.images.image import ImagePaths, image_exists
from engine.operations.checkpoint_check import Finding, check_model, check_server
from engine.project import outside_images, own_commands
from engine.project.image_paths import image_paths_of
from engine.project.layout import Project
from engine.project.shard_file import read_shard
from engine.utils.errors import BadInput

IMAGES_CHECKED = 100
"""The number of images of the project whose files are looked for."""
BYTES_PER_CAPTION = 400
"""Bytes that a caption takes in caption log and sheared file together, rounded up."""
GIB = 2**30
NETWORK_FILE_SYSTEMS = {"nfs", "nfs4", "lustre", "gpfs", "cifs", "smb3", "beegfs", "fuse.sshfs"}
"""File system types, as Linux names them, whose locks SQLite cannot rely on everywhere."""


def examine(
    project: Project | None, models: Sequence[str] = (), settings: Sequence[str] = ()
) -> Iterator[Finding]:
    """Examine the devices, the models given as NAME=CHECKPOINT, and the project if there is one.

    `settings` are assignments MODEL.KEY=VALUE. Raises `BadInput` for a text of neither form.
    """
    yield from examine_devices()
    for text in models:
        name = text.partition("=")[0]
        yield from check_model(text, [it for it in settings if it.startswith(f"{name}.")])
    if project is not None:
        yield from examine_project(project)


def examine_devices() -> Iterator[Finding]:
    """Report the devices that a run would use by default, and their free memory."""
    try:
        detected = devices.auto_devices()
    except BadInput as error:
        yield Finding(False, str(error))
        return
    for device in detected:
        free = devices.free_gpu_memory(device)
        memory = "" if free is None else f", {free / GIB:.1f} GiB free"
        yield Finding(True, f"device {device.id}: {device.label}{memory}")
    if not any(device.uuid for device in detected):
        yield Finding(True, "no NVIDIA GPU is visible: captioning runs on the CPU, slowly")


def examine_project(project: Project) -> Iterator[Finding]:
    """Check the models, shards, images and disk of a project. No checkpoint is loaded."""
    with reading(project.database) as connection:
        row = projects.project(connection)
        models = projects.models(connection)
        sums = progress.task_sums(connection)
        shards = projects.shards(connection)
    for model in models:
        if model.checkpoint is None:
            continue
        try:
            family, settings = FAMILIES[model.family], Settings.of(model.settings)
            if family.remote:
                yield from check_server(model)
                continue
            check_checkpoint(family, model.checkpoint, settings)
            yield Finding(True, f"{model.name}: {model.checkpoint}: complete")
        except BadInput as error:
            yield Finding(False, str(error))
    for check in (outside_images.check_image_root, own_commands.check):
        try:
            check(project)
        except BadInput as error:
            yield Finding(False, str(error))
    missing = [n.number for n in shards if not project.shard_file(n.number).is_file()]
    if missing:
        yield Finding(False, f"{len(missing)} shard files are missing, first {missing[0]:05}.jsonl")
    else:
        try:
            yield examine_images(project, image_paths_of(project, row))
        except BadInput as error:
            yield Finding(False, str(error))
    yield examine_disk(project, sum(row.left for row in sums))
    kind = network_file_system(project.folder)
    if kind:
        yield Finding(
            False,
            f"the project lies on {kind}: SQLite's locks are unsafe on some network file"
            " systems; a local disk is better (images may stay where they are)",
        )


def examine_images(project: Project, paths: ImagePaths) -> Finding:
    """Check that the files of the first images of the first shard exist."""
    checked = present = 0
    for i, record in read_shard(project.shard_file(0)):
        if i >= IMAGES_CHECKED:
            break
        checked += 1
        present += image_exists(paths, record["image"])
    message = f"{present} of the first {checked} images found in {paths.root}"
    return Finding(present == checked, message)


def examine_disk(project: Project, left: int) -> Finding:
    """Check that the disk has room for twice the expected size of `left` captions."""
    free = shutil.disk_usage(project.folder).free
    needed = left * BYTES_PER_CAPTION
    return Finding(
        free > 2 * needed,
        f"{free / GIB:.1f} GiB free on the project's disk; what is left to caption needs about"
        f" {needed / GIB:.2f} GiB",
    )


def network_file_system(folder: Path) -> str | None:
    """Return the kind of network file system that a folder lies on, None for a local one."""
    resolved = str(folder.resolve())
    best = ("", "")
    for part in psutil.disk_partitions(all=True):
        mount = part.mountpoint.rstrip("/") + "/"
        if f"{resolved}/".startswith(mount) and len(mount) > len(best[0]):
            best = (mount, part.fstype)
    return best[1] if best[1] in NETWORK_FILE_SYSTEMS else None
