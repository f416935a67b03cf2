"""The usual names of the columns of a table, and of the keys of a JSON record."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from engine.datasets.inputs.read_options import ReadOptions
from engine.utils.errors import BadInput

IMAGE_COLUMNS = (
    *("image", "filepath", "file_name", "image_path", "img_path", "path", "filename"),
    *("img", "images", "image_file", "image_name", "file_path"),
)
"""Usual names of image paths, in lower case; the first one that is there counts."""
CAPTION_COLUMNS = (
    *("caption", "title", "text", "captions", "texts", "sentences", "sentence", "caption_str"),
    *("description", "alt_text", "alt", "comment"),
)
"""Usual names of captions, in lower case; the first one that is there counts. After these come
those with a number, such as `caption_0`."""
NUMBERED = re.compile(r"(caption|text|title|sentence|comment)s?[ _-]?([0-9]{1,3})")
"""A name of one of several captions."""
LINKS = ("url", "image_url", "img_url", "coco_url", "flickr_url", "image_link", "link")
"""Usual names of links to images, in lower case."""
DOWNLOAD = (
    "images must be local: download them, for example with img2dataset, and give its tars or"
    " folders"
)
"""What to do about a table of links."""
COMMON_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"}
"""Suffixes by which an image path is told from the name of a column."""
MAX_NAMES = 12
"""Most names that a message lists."""


def by_lower(names: Iterable[str]) -> dict[str, str]:
    """Return the names by their lower case, without blanks around; the first of several counts."""
    found: dict[str, str] = {}
    for name in names:
        found.setdefault(name.strip().lower(), name)
    return found


def find_name(names: Iterable[str], candidates: Sequence[str]) -> str | None:
    """Return the name that is the first of the candidates, whatever its case, or None."""
    found = by_lower(names)
    return next((found[candidate] for candidate in candidates if candidate in found), None)


def numbered_names(names: Iterable[str]) -> list[str]:
    """Return the names of captions with a number, such as `caption_0`, by their numbers.

    They are of one kind: that of the first of them.
    """
    found = [(match, name) for name in names if (match := NUMBERED.fullmatch(name.strip().lower()))]
    return [
        name
        for match, name in sorted(found, key=lambda item: int(item[0][2]))
        if match[1] == found[0][0][1]
    ]


def listed(names: Iterable[str]) -> str:
    """Return names for a message, cut where they are long or many."""
    names = list(names)
    text = ", ".join(repr(name[:40]) for name in names[:MAX_NAMES])
    return f"{text}, ..." if len(names) > MAX_NAMES else text or "none"


def choose_columns(path: Path, names: Sequence[str], options: ReadOptions) -> tuple[str, list[str]]:
    """Return the column of image paths and those of captions, of which there may be none.

    Raises `BadInput`, which lists the columns of the table.
    """
    image, caption = options.image_column, options.caption_column
    image_column = exact_name(path, names, image) or find_name(names, IMAGE_COLUMNS)
    if image_column is None:
        link = find_name(names, LINKS)
        if link is not None:
            raise BadInput(f"{path} has links ({link!r}) and no image paths: {DOWNLOAD}")
        if any(PurePosixPath(name).suffix.lower() in COMMON_SUFFIXES for name in names):
            raise BadInput(
                f"{path} has no header ({listed(names)}): add a first line that names the"
                " columns, such as image and caption"
            )
        raise BadInput(
            f"{path} has no column of image paths (it has {listed(names)}): name it with"
            " --image-column"
        )
    caption_column = exact_name(path, names, caption) or find_name(names, CAPTION_COLUMNS)
    captions = numbered_names(names) if caption_column is None else [caption_column]
    for name in (image_column, *captions):
        refuse_twins(path, names, name)
    return image_column, captions


def refuse_twins(path: Path, names: Sequence[str], name: str) -> None:
    """Raise `BadInput` if a table has several columns of a name: which one is meant?"""
    count = names.count(name)
    if count > 1:
        raise BadInput(f"{path} has {count} columns {name!r}: give all but one another name")


def exact_name(path: Path, names: Sequence[str], name: str | None) -> str | None:
    """Return the name that a person gives, or None. Raises `BadInput` if the table lacks it."""
    if name is not None and name not in names:
        raise BadInput(f"{path} has no column {name!r} (it has {listed(names)})")
    return name
