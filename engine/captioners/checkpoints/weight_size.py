"""The size of a checkpoint's weights, by its files alone. This module imports no torch."""

from __future__ import annotations

from contextlib import suppress
from itertools import chain
from pathlib import Path

SUFFIXES = (".safetensors", ".bin", ".pth", ".pt")
"""Endings of files with weights. Of a folder that has `.safetensors`, only those count: the others
hold the same weights again."""


def weight_bytes(checkpoint: str | None) -> int | None:
    """Return the bytes of all weights in a folder and the folders in it; None if there are none."""
    if checkpoint is None:
        return None
    with suppress(OSError):
        return sum(path.stat().st_size for path in find_weights(Path(checkpoint))) or None
    return None


def find_weights(checkpoint: Path) -> list[Path]:
    """Return the files with weights in a folder and the folders in it."""
    by_folder: dict[Path, dict[str, list[Path]]] = {}
    with suppress(OSError):
        # Not deeper: a project may come from somebody else and name any folder, "/" for one.
        for path in chain(checkpoint.glob("*"), checkpoint.glob("*/*")):
            if path.suffix in SUFFIXES and path.is_file():
                by_folder.setdefault(path.parent, {}).setdefault(path.suffix, []).append(path)
    return [
        path
        for by_suffix in by_folder.values()
        for path in by_suffix.get(SUFFIXES[0]) or chain(*by_suffix.values())
    ]
