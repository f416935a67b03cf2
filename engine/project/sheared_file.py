"""Sheared files: the sheared captions of one task, kept beside its caption log for exports.

A sheared file holds one line per record of the shard: the sheared caption as a JSON string, or
null. It can be made again from the caption log at any time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from engine.project.caption_log import CaptionText, LogContents
from engine.shearing.shear import Shearing, make_shearer
from engine.utils import jsonlines
from engine.utils.atomic_write import write_beside


def sheared_captions(
    contents: LogContents, count: int, family: str, shearing: Shearing
) -> list[str | None]:
    """Return one sheared caption per record of a shard of `count`: None where there is none."""
    texts = ((row.i, row.raw, row.finish) for row in contents.captions.values())
    return shear_texts(texts, count, family, shearing)


def shear_texts(
    texts: Iterable[CaptionText], count: int, family: str, shearing: Shearing
) -> list[str | None]:
    """Return the same of a log's captions in their order; the last one of an index counts."""
    shear = make_shearer(family, shearing)
    captions: list[str | None] = [None] * count
    for i, raw, finish in texts:
        captions[i] = shear(raw, finish)
    return captions


def sheared_path(log: Path, shearing: Shearing, digest: str) -> Path:
    """Return the sheared file of a caption log with this digest.

    Its name holds a hash of `shearing` and of the digest, so that a stale file is never read.
    """
    return log.with_name(f"{log.stem}.sheared-{shearing.hash(digest)}.jsonl")


def replace_sheared(path: Path, captions: Sequence[str | None]) -> None:
    """Write a sheared file, synced to disk, and remove stale ones of the same caption log."""
    for stale in path.parent.glob(f"{path.name.partition('.')[0]}.sheared-*"):
        if stale != path:
            stale.unlink(missing_ok=True)
    write_sheared(path, captions, sync=True)


def write_sheared(path: Path, captions: Sequence[str | None], sync: bool) -> None:
    """Write a sheared file, whole or not at all, and leave stale ones where they are.

    Without `sync`, a power cut may leave too few lines; a reader of the file notices that.
    """
    with write_beside(path, sync) as part:
        part.write_bytes(jsonlines.dumps_lines(captions))
