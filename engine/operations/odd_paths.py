"""What may be wrong with the image paths of inputs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from engine.datasets.inputs.columns import DOWNLOAD
from engine.images.image import ImagePaths, map_prefix
from engine.utils.errors import BadInput

PATH_SHOWN = 200
"""Most characters of an image path in an error."""


def odd_path(image: str) -> str | None:
    """Return what is odd about an image path, and what to do; None for one as usual."""
    if image.startswith(("http://", "https://")):
        return f"it is a link: {DOWNLOAD}"
    if image.startswith("file://"):
        return "it is an address of a file: give --path-map file://="
    if "\\" in image:
        start = image[: image.rindex("\\") + 1]
        return f"--path-map '{start}=FOLDER/' also turns its backslashes into slashes"
    if not PurePosixPath(image).suffix:
        return "it has no suffix such as .jpg: name another column or key, or correct the paths"
    return None


def refuse_relative(images: Iterable[str], path: Path, paths: ImagePaths) -> None:
    """Raise `BadInput` if an image of an input is relative once it is mapped.

    The input lies in another folder than the first one, whose folder is the image root: the same
    relative path may mean another image there.
    """
    for image in images:
        mapped = map_prefix(image, paths.path_map)
        if not (image if mapped is None else mapped).startswith("/"):
            raise BadInput(
                f"{path} has relative image paths ({image[:PATH_SHOWN]}), and the first input is"
                " in another folder: give --image-root DIR if all start at one folder, else make"
                " them absolute with 'paths'"
            )
