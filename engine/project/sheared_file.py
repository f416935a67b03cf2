"""Sheared files: the sheared captions of one task, kept beside its caption log for exports.

A sheared file holds one line per record of the shard, the sheared caption as a JSON string or null,
and a last line with the digest of these. It can be made again from the caption log at any time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from engine.project.log_rows import CaptionText, LogContents
from engine.shearing.shear import Shearing, make_shearer
from engine.utils import jsonlines, plain_files


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
    """Write a sheared file, synced to disk, and remove stale ones of the same caption log.

    The caller holds the project's lock; an export, which does not, leaves stale ones.
    """
    beginning = f"{path.name.partition('.')[0]}.sheared-"
    names = plain_files.names_in(path.parent)
    stale = [name for name in names if name.startswith(beginning) and name != path.name]
    plain_files.remove_files(path.parent, stale)
    write_sheared(path, captions, sync=True)


def write_sheared(path: Path, captions: Sequence[str | None], sync: bool) -> None:
    """Write a sheared file, whole or not at all, and leave stale ones where they are.

    Without `sync`, a power cut may leave it damaged, which `read_sheared` notices.
    """
    lines = jsonlines.dumps_lines(captions)
    with plain_files.replacing(path, sync) as file:
        file.write(lines)
        file.write(digest_line(path, lines))


def read_sheared(path: Path, count: int) -> list[bytes] | None:
    """Return the lines of the sheared file of a shard of `count` records, without the last.

    Returns None if the file is damaged, or was written by a version that wrote no digest. Raises
    `OSError`, `FileNotFoundError` among them.
    """
    data = plain_files.read_bytes(path)
    end = data.rfind(b"\n", 0, -1) + 1
    if data[end:] != digest_line(path, memoryview(data)[:end]):
        return None
    lines = data[:end].splitlines()
    return lines if len(lines) == count else None


def digest_line(path: Path, lines: bytes | memoryview) -> bytes:
    """Return the last line of a sheared file that holds these lines.

    The hash in the file's name is the digest's key, so that no other sheared file passes for it.
    """
    key = path.stem.partition(".sheared-")[2].encode()
    digest = hashlib.blake2b(lines, digest_size=16, key=key).hexdigest()
    return b'{"digest":"%s"}\n' % digest.encode()
