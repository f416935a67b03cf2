"""What the name of a file in a folder or a tar says: an image, something hidden, another file."""

from __future__ import annotations

import re

from engine.datasets.inputs.unread_files import UNREAD_ARCHIVES, is_unread_archive
from engine.images.formats import HOW_TO_READ, image_suffixes, unread_suffixes

SYSTEM_NAMES = (
    *("__MACOSX", "@eaDir", "#recycle", "$RECYCLE.BIN", "System Volume Information", "lost+found"),
    *("Thumbs.db", "desktop.ini"),
)
"""Names under which systems keep files of their own: thumbnails, what was deleted, notes."""
HIDDEN = re.compile(
    rf"(?:^|/)(?:\.(?!\.?(?:/|$))|(?:{'|'.join(map(re.escape, SYSTEM_NAMES))})(?:/|$))"
)
"""A part of a path that is hidden or a system's own. macOS, for one, keeps attributes of `0.jpg` in
`._0.jpg`."""
HIDDEN_FILES = "hidden files and folders"
OTHER_FILES = "files that are neither images nor captions"
TABLES_BESIDE = "tables beside images"
TABLE_SUFFIXES = {".csv", ".tsv", ".tab", ".jsonl", ".ndjson", ".parquet", ".arrow"}
"""The suffixes of tables that are inputs of their own."""
OWN_INPUT = "give a file that lists images and captions as a separate input"
"""What to do about a table, or a JSON file, that is no image's."""


def is_hidden(path: str) -> bool:
    """Return True if a part of a path is hidden or a system's own."""
    return HIDDEN.search(path) is not None


def suffix_of(name: str) -> str:
    """Return the suffix of a file's name or path in lower case with its dot, or an empty text."""
    dot = name.rfind(".")
    return name[dot:].lower() if dot > name.rfind("/") + 1 else ""


def is_image(name: str) -> bool:
    """Return True if a file's name has the suffix of a format of images that is read."""
    return suffix_of(name) in image_suffixes()


def why_no_image(name: str) -> tuple[str, str]:
    """Return why a file that is neither image nor caption is passed over, and what to do then."""
    suffix = suffix_of(name)
    if unread := unread_suffixes().get(suffix):
        return f"images in {unread}, which is not read", HOW_TO_READ[unread]
    if is_unread_archive(name):
        return UNREAD_ARCHIVES, "unpack them first"
    return (TABLES_BESIDE, OWN_INPUT) if suffix in TABLE_SUFFIXES else (OTHER_FILES, "")
