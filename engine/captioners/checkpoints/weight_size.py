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
    sizes: dict[Path, dict[str, int]] = {}
    with suppress(OSError):
        # Not deeper: a project may come from somebody else and name any folder, "/" for one.
        for path in chain(Path(checkpoint).glob("*"), Path(checkpoint).glob("*/*")):
            if path.suffix in SUFFIXES and path.is_file():
                by_suffix = sizes.setdefault(path.parent, {})
                by_suffix[path.suffix] = by_suffix.get(path.suffix, 0) + path.stat().st_size
    total = sum(
        by_suffix.get(SUFFIXES[0]) or sum(by_suffix.values()) for by_suffix in sizes.values()
    )
    return total or None
