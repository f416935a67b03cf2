"""Any input, by what it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.datasets.batch import Batch


@dataclass(frozen=True, slots=True)
class Input:
    """`root` is the image root, to which paths that the input does not spell out are relative."""

    path: Path
    root: Path | None = None
    image_column: str | None = None
    caption_column: str | None = None


def read_input(source: Input) -> Iterator[Batch]:
    """The records in order. Raises `BadInput` with the position."""
    from engine.datasets.reading import read_batches

    return read_batches(source.path)
