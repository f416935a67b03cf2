"""What may be wrong with the image paths of an input of which no image is found."""

from __future__ import annotations

from pathlib import PurePosixPath

from engine.datasets.inputs.columns import DOWNLOAD


def odd_path(image: str) -> str | None:
    """Return what is odd about an image path, and what to do; None for one as usual."""
    if image.startswith(("http://", "https://")):
        return f"it is a link: {DOWNLOAD}"
    if "\\" in image:
        start = image[: image.rindex("\\") + 1]
        return f"--path-map '{start}=FOLDER/' turns its backslashes into slashes, too"
    if not PurePosixPath(image).suffix:
        return "it has no suffix such as .jpg: name another column or key, or mend the paths"
    return None
