"""Is this machine, and this project, fit to run? In words, each with what to do."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

from db import progress, projects
from db.connection import reading
from engine.captioners.registry import FAMILIES, Settings, check_checkpoint
from engine.hardware import devices
from engine.images.image import ImagePaths, exists
from engine.operations.checkpoint_check import Finding, check_up, server
from engine.project.layout import Project
from engine.project.shard_file import read_shard
from engine.utils.errors import BadInput

LOOKED_AT = 100
"""Images of the project that are looked for."""
BYTES_A_CAPTION = 400
"""Of caption log and sheared file together, generously."""
GIB = 2**30
NETWORK_FILE_SYSTEMS = {"nfs", "nfs4", "lustre", "gpfs", "cifs", "smb3", "beegfs", "fuse.sshfs"}


def examine(
    project: Project | None, models: Sequence[str] = (), settings: Sequence[str] = ()
) -> Iterator[Finding]:
    """Raises `BadInput` for what cannot be read as NAME=CHECKPOINT or MODEL.KEY=VALUE."""
    yield from examine_devices()
    for text in models:
        name = text.partition("=")[0]
        yield from check_up(text, [it for it in settings if it.startswith(f"{name}.")])
    if project is not None:
        yield from examine_project(project)


def examine_devices() -> Iterator[Finding]:
    try:
        found = devices.auto()
    except BadInput as error:
        yield Finding(False, str(error))
        return
    for device in found:
        free = devices.free_memory(device)
        room = "" if free is None else f", {free / GIB:.1f} GiB free"
        yield Finding(True, f"device {device.id}: {device.label}{room}")
    if not any(device.uuid for device in found):
        yield Finding(True, "no NVIDIA GPU is visible: captioning runs on the CPU, slowly")


def examine_project(project: Project) -> Iterator[Finding]:
    with reading(project.database) as connection:
        row = projects.project(connection)
        models = projects.models(connection)
        sums = progress.sums(connection)
        shards = projects.shards(connection)
    for model in models:
        if model.checkpoint is None:
            continue
        try:
            family, settings = FAMILIES[model.family], Settings.of(model.settings)
            if family.remote:
                yield from server(model)
                continue
            check_checkpoint(family, model.checkpoint, settings)
            yield Finding(True, f"{model.name}: {model.checkpoint}: complete")
        except BadInput as error:
            yield Finding(False, str(error))
    lost = [n.number for n in shards if not project.shard_file(n.number).is_file()]
    if lost:
        yield Finding(False, f"{len(lost)} shard files are missing, first {lost[0]:05}.jsonl")
    else:
        root = project.image_root(row)
        paths = ImagePaths(str(root), row.path_map, row.allow_outside)
        yield examine_images(project, paths)
    yield examine_disk(project, sum(row.left for row in sums))
    kind = network_file_system(project.folder)
    if kind:
        yield Finding(
            False,
            f"the project lies on {kind}: SQLite's locks are unsafe on some network file"
            " systems; a local disk is better (images may stay where they are)",
        )


def examine_images(project: Project, paths: ImagePaths) -> Finding:
    """Looks for the first images of the first shard."""
    looked = found = 0
    for i, record in read_shard(project.shard_file(0)):
        if i >= LOOKED_AT:
            break
        looked += 1
        found += exists(paths, record["image"])
    return Finding(found == looked, f"{found} of the first {looked} images found in {paths.root}")


def examine_disk(project: Project, left: int) -> Finding:
    free = shutil.disk_usage(project.folder).free
    needed = left * BYTES_A_CAPTION
    return Finding(
        free > 2 * needed,
        f"{free / GIB:.1f} GiB free on the project's disk; what is left to caption needs about"
        f" {needed / GIB:.2f} GiB",
    )


def network_file_system(folder: Path) -> str | None:
    """The kind of network file system a folder lies on, None for a local one."""
    resolved = str(folder.resolve())
    best = ("", "")
    for part in psutil.disk_partitions(all=True):
        mount = part.mountpoint.rstrip("/") + "/"
        if f"{resolved}/".startswith(mount) and len(mount) > len(best[0]):
            best = (mount, part.fstype)
    return best[1] if best[1] in NETWORK_FILE_SYSTEMS else None
