"""Names that outlive a rebuilt database, and what a simulated model says of an image."""

from __future__ import annotations

from engine.protocol.caption_row import CaptionRow

TaskName = tuple[str, int]
"""(name of the model, shard number) of a task."""
RecordName = tuple[str, int, int]
"""The same and the index of a record in the shard."""
SHARD_SIZE = 10
"""Records of every shard but the last one."""
ORIGINAL = "alt"
"""The original caption of every record."""
POISON, SERVER_POISON, BAD = "poison", "server-poison", "bad"
"""Parts of the names of images that end their worker, end their server, or cannot be read."""


def caption_of(model: str, image: str) -> str:
    """Return what a simulated model says of an image: each pair has a caption of its own."""
    return f"{model} says {image.partition('.')[0]}."


def texts_of(model: str, image: str) -> set[str]:
    """Return the same as a log has it, and sheared."""
    raw = caption_of(model, image)
    return {raw, raw.rstrip(".")}


def wrong_caption(i: int) -> CaptionRow:
    """Return a row that must never be kept."""
    return CaptionRow(i, "a caption of another picture.", 3, "stop")
