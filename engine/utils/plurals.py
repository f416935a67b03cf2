"""Counts with their noun, as every message shows them."""

from __future__ import annotations


def plural(count: int, noun: str) -> str:
    """Return a count with its noun, whose plural must end in s: `1 shard`, `6,000 shards`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
