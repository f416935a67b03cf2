"""Putting images into the folder of an export: as links, or as files."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from engine.datasets.exports.image_files import image_suffix, read_image_file
from engine.datasets.exports.writers import base


def place_image(
    plan: base.ExportPlan, image: str, stem: Path, known_suffixes: Collection[str]
) -> tuple[str, int]:
    """Link or copy an image to the path `stem` and a suffix; return that and the bytes written.

    An image inside of a tar is copied in any case, as is one that is written in another format than
    its own. Raises `ImageProblem`.
    """
    source, suffix = plan.image_paths.resolve(image), image_suffix(image)
    as_it_is = plan.encoding is None and suffix in known_suffixes
    if plan.image_mode == "link" and as_it_is and Path(source).is_file():
        stem.with_suffix(suffix).symlink_to(Path(source).absolute())
        return suffix, 0
    file = read_image_file(plan.image_paths, image, known_suffixes, plan.encoding)
    return file.suffix, stem.with_suffix(file.suffix).write_bytes(file.data)
