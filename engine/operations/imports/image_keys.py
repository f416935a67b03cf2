"""The keys by which captions that are imported find their records: image paths in one form.

Imports little: the processes of a pool start with it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from engine.images.image import ImagePaths, map_prefix
from engine.project import log_rows
from engine.project.shard_file import parse_shard
from engine.utils.plain_files import read_bytes

LINE = "\n"
"""Stands between paths where all of them are looked at together; a path may have it, too."""
NO_KEY = "//"
"""The key of a record whose path no file can have: none of a path in its one form."""


def image_keys(
    images: Sequence[str], paths: ImagePaths, path_map: Sequence[tuple[str, str]] = ()
) -> list[str]:
    """Return for each image its path in one form: relative to the image root where it lies there.

    `path_map` replaces beginnings as that of `paths` does, which comes after it. Two images have
    one key if they are the same file, as far as that can be told without the disk.
    """
    keys = list(images)
    for pairs in filter(None, (path_map, paths.path_map)):
        (old, new), *more = pairs
        joined = LINE + LINE.join(keys)
        if not more and LINE not in old + new and joined.count(LINE) == len(keys):
            # The usual case, in less time.
            keys = joined.replace(LINE + old, LINE + new).split(LINE)[1:]
        else:
            keys = [key if (to := map_prefix(key, pairs)) is None else to for key in keys]
    root = os.path.normpath(paths.root)
    # One look at all of them: normalising each of millions would take as long as reading them.
    joined = LINE + LINE.join(keys)
    is_odd = "//" in joined or "/." in joined or LINE + "." in joined
    if is_odd:
        keys = [normalised(key, root) for key in keys]
    if is_odd or LINE + "/" in joined:
        inside = os.path.join(root, "")  # noqa: PTH118 (a text, no file)
        keys = [key.removeprefix(inside) for key in keys]
    return keys


def normalised(key: str, root: str) -> str:
    """Return a path without `.`, `..` and repeated slashes, absolute if it leads out of `root`."""
    if "\0" in key:
        return key
    key = os.path.normpath(key)
    if key.startswith("//"):  # which POSIX leaves as they are
        return key[1:]
    if key.split(os.sep, 1)[0] == os.pardir:
        return os.path.normpath(os.path.join(root, key))  # noqa: PTH118 (a text, no file)
    return key


class KeysJob(NamedTuple):
    """A shard whose records' keys are asked for."""

    file: Path
    digest: str
    """The digest of the shard file when the project was made."""
    records: int
    """The number of records of the shard."""
    paths: ImagePaths


def read_keys(job: KeysJob) -> bytes | None:
    """Return the keys of a shard's records, joined by zero bytes; None if the file is damaged."""
    with suppress(FileNotFoundError, ValueError):
        data = read_bytes(job.file)
        if log_rows.digest(data) == job.digest:
            keys = image_keys(read_images(data, job.records), job.paths)
            clean = (NO_KEY if "\0" in key else key for key in keys)
            return "\0".join(clean).encode("utf-8", "surrogatepass")
    return None


class RecordImage(msgspec.Struct):
    """The image of a record; other keys are passed over."""

    image: str


RECORD_IMAGES = msgspec.json.Decoder(RecordImage)


def read_images(data: bytes, count: int) -> list[str]:
    """Return the image of each record of a whole shard file. Raises `ValueError`."""
    try:
        images = [record.image for record in RECORD_IMAGES.decode_lines(data)]
    except ValueError:  # what is no JSON in its strictest form, such as a lone surrogate
        images = [record["image"] for record in parse_shard(data, count)]
    if len(images) != count:
        raise ValueError(f"these are not {count} records")
    return images


def split_keys(joined: bytes) -> list[str]:
    """Return the keys that `read_keys` joined."""
    return joined.decode("utf-8", "surrogatepass").split("\0")
