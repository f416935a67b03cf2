"""Health files: what was counted of the captions of one task, kept beside its caption log.

A health file is a function of the log, the shard file and the settings that its name has a hash of.
It may be deleted at any time: the next look counts the log again. It lies here and not in the
tracker, since it changes with the log, grows with every caption, and needs no migration.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import msgspec

from engine.project.log_rows import CaptionText, parse, plain_captions
from engine.protocol.caption_row import CaptionRow
from engine.quality.shard_health import ShardHealth
from engine.utils import plain_files

DEFINITIONS = 10
"""Raised when a definition in `engine.quality` changes, so that no older count is believed."""
DIGEST_BYTES = 16


class SavedHealth(msgspec.Struct):
    """The contents of a health file."""

    health: ShardHealth
    log_bytes: int
    """The bytes of the caption log whose rows are counted; 0 for original captions."""
    digest: str
    """The digest of these bytes, or of the shard file."""


def health_path(beside: Path, settings: dict[str, Any]) -> Path:
    """Return the health file beside a caption log or shard file, counted with these settings."""
    text = json.dumps([DEFINITIONS, settings], sort_keys=True)
    name_hash = hashlib.sha256(text.encode()).hexdigest()[:12]
    return beside.with_name(f"{beside.stem}.health-{name_hash}.msgpack")


def read_health(path: Path, records: int, sampled: bool) -> SavedHealth | None:
    """Read the health file of a shard of so many records.

    Returns None if there is none, or if it is damaged. Raises `OSError`.
    """
    try:
        data = plain_files.read_bytes(path)
    except FileNotFoundError:
        return None
    body = data[:-DIGEST_BYTES]
    if data[-DIGEST_BYTES:] != digest_of(path, body):
        return None
    try:
        saved = msgspec.msgpack.decode(body, type=SavedHealth)
    except (msgspec.MsgspecError, RecursionError):
        return None
    return saved if saved.health.fits(records, sampled) else None


def write_health(path: Path, saved: SavedHealth) -> None:
    """Write a health file, whole or not at all, in the place of those of other settings.

    It is not synced: a power cut may leave it damaged, which `read_health` notices. Raises
    `OSError`.
    """
    beginning = f"{path.name.partition('.')[0]}.health-"
    names = plain_files.names_in(path.parent)
    stale = [name for name in names if name.startswith(beginning) and name != path.name]
    body = msgspec.msgpack.encode(saved)
    with plain_files.replacing(path, sync=False) as file:
        file.write(body)
        file.write(digest_of(path, body))
    plain_files.remove_files(path.parent, stale)


def digest_of(path: Path, body: bytes) -> bytes:
    """Return the last bytes of a health file. The hash in its name is the digest's key."""
    key = path.stem.partition(".health-")[2].encode()
    return hashlib.blake2b(body, digest_size=DIGEST_BYTES, key=key).digest()


def caption_texts(data: bytes, count: int) -> dict[int, CaptionText]:
    """Return the captions in whole lines of a log; of those of one record, the last."""
    captions = plain_captions(data, count)
    if captions is None:
        rows = (parse(line, count) for line in data.splitlines(keepends=True))
        captions = {row.i: row for row in rows if isinstance(row, CaptionRow)}
    return {i: (i, row.raw, row.finish) for i, row in captions.items()}
