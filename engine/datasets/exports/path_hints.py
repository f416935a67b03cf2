"""What a person is told where the paths that an export holds lead to no images.

Programs open such paths as they stand, and end at the first one that is no file.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path, PurePosixPath
from shlex import quote

from engine.datasets.exports.formats import ExportFormat
from engine.datasets.exports.shard_captions import ExportSource
from engine.datasets.exports.writers.base import ExportPlan
from engine.images.image import ImagePaths, image_exists, map_prefix
from engine.project.shard_file import read_shard
from engine.utils.errors import BadInput

FIRST_IMAGES = 20
"""How many of the first images are looked at: some may be missing, and the disk may be slow."""
OPENED_AS_WRITTEN = frozenset(("openclip", "messages", "trl"))
"""The formats whose readers open the paths as they stand."""
OPENED_IN_A_FOLDER = frozenset(("laclip", "dreamlip", "llava", "hf"))
"""The formats whose readers are given a folder, in which relative paths start. `hf` holds paths
only if the images stay where they are."""


def first_images(source: ExportSource) -> list[str]:
    """Return the first images of a project, as the input names them."""
    with suppress(BadInput):  # a damaged shard, of which the export tells
        for shard in source.shards[:1]:
            records = islice(read_shard(source.project.shard_file(shard.number)), FIRST_IMAGES)
            return [record["image"] for _, record in records]
    return []


def path_hints(
    export_format: ExportFormat, plan: ExportPlan, images: Sequence[str]
) -> tuple[str, ...]:
    """Return what is to be known of the paths of an export that begins with these images."""
    in_a_folder = export_format.name in OPENED_IN_A_FOLDER and plan.image_mode == "none"
    if not in_a_folder and export_format.name not in OPENED_AS_WRITTEN:
        return ()
    if any(is_file(plan.map_path(image)) for image in images):
        return ()
    found = next((image for image in images if image_exists(plan.image_paths, image)), None)
    if found is None:
        if not images or in_a_folder:
            return ()
        return (
            f"there is no file {plan.map_path(images[0])}: say with --path-map and --image-root"
            " where the images are",
        )
    if not is_file(plan.image_paths.resolve(found)):
        return (
            f"the images are in tars or tables, such as {found}, which no reader of this"
            " format opens: export wds, hub, hf or sidefiles",
        )
    if in_a_folder:
        return ()
    return (
        f"there is no file {plan.map_path(found)} from here: for the paths at which this project"
        f" finds the images, export with {path_options(plan.image_paths, found)}",
    )


def path_options(paths: ImagePaths, image: str) -> str:
    """Return the options that write an image's path as the project finds it."""
    options = [f"--path-map {quote(f'{old}={new}')}" for old, new in paths.path_map]
    mapped = map_prefix(image, paths.path_map)
    if not PurePosixPath(image if mapped is None else mapped).is_absolute():
        options.append(f"--image-root {quote(paths.root)}")
    return " ".join(options)


def is_file(path: str) -> bool:
    """Return True if a path, as a program opens it, leads to a file."""
    with suppress(OSError, ValueError):
        return Path(path).is_file()
    return False
