"""JSON records in which a key stands twice: Python's parsers keep the last value without a word."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import Any

from engine.datasets.inputs.batch import RecordBatch

PLAIN_KEYS = ("image", "caption")
"""The keys that are read of a plain record."""


def refuse_repeated(source: str, keys: Collection[str | None]) -> None:
    """Raise `ValueError` if one of these keys stands twice in an object, whose JSON is `source`."""
    for key in keys:
        if key is not None and source.count(f'"{key}"') > 1 and keys_in(source).count(key) > 1:
            raise ValueError(f"it has {key!r} twice: rename or remove one of the two")


def keys_in(source: str) -> list[str]:
    """Return the keys of an object, as often as they stand in it, not those of objects in it."""
    keys: list[str] = []

    def see(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys[:] = [key for key, _ in pairs]  # the outermost object comes last
        return dict(pairs)

    json.loads(source, object_pairs_hook=see)
    return keys


def repeats_plain_keys(batch: RecordBatch) -> bool:
    """Return True if a record of a batch of plain records has a plain key twice.

    The records are parsed again only if a key stands in their text more often than they explain: it
    may stand in an object within a record.
    """
    holders = {"image": len(batch), "caption": len(batch) - batch.captions.count("")}
    if not any(occurs_more_often(batch.text, key, count) for key, count in holders.items()):
        return False
    objects = (keys_in(line.decode()) for line in batch.lines)
    return any(keys.count(key) > 1 for keys in objects for key in PLAIN_KEYS)


def occurs_more_often(text: bytes, key: str, count: int) -> bool:
    """Return True if a key stands more often than that in a text of JSON."""
    quoted = f'"{key}"'.encode()
    return text.count(quoted) > count and len(re.findall(quoted + rb"\s*:", text)) > count
