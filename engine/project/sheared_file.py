"""The sheared captions that are kept beside a caption log."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from engine.project.caption_log import Contents
from engine.shearing.shear import Shearing, shearer
from engine.utils import jsonlines


def sheared_captions(
    contents: Contents, count: int, family: str, shearing: Shearing
) -> list[str | None]:
    """One entry a record of the shard: None where it has no caption."""
    return shear_rows(contents.captions.values(), count, family, shearing)


def shear_rows(
    rows: Iterable[dict[str, Any]], count: int, family: str, shearing: Shearing
) -> list[str | None]:
    """As `sheared_captions`, of rows of a log in their order: the last of an `i` counts."""
    cut = shearer(family, shearing)
    captions: list[str | None] = [None] * count
    for row in rows:
        if "raw" in row:
            captions[row["i"]] = cut(row["raw"], row["finish"])
    return captions


def sheared_file(log: Path, shearing: Shearing, digest: str) -> Path:
    """Its name holds a hash of the settings and of the log, so that a stale one is never read."""
    return log.with_name(f"{log.stem}.sheared-{shearing.hash(digest)}.jsonl")


def write_sheared(path: Path, captions: Sequence[str | None]) -> None:
    """One line a record of the shard: its sheared caption as a JSON string, or null."""
    for stale in path.parent.glob(f"{path.name.partition('.')[0]}.sheared-*"):
        if stale != path:
            stale.unlink(missing_ok=True)
    put_sheared(path, captions, sync=True)


def put_sheared(path: Path, captions: Sequence[str | None], sync: bool) -> None:
    """Without looking for stale ones. Unsynced, power loss may leave too few lines, which are
    noticed where they are read."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(jsonlines.dumps_lines(captions))
        if sync:
            file.flush()
            os.fsync(file.fileno())
    part.replace(path)
