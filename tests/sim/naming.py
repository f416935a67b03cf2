"""Names that outlive a rebuilt database, and what a simulated model says of an image."""

from __future__ import annotations

from engine.protocol.caption_row import CaptionRow

TaskName = tuple[str, int]
"""(name of the model, shard number) of a task."""
RecordName = tuple[str, int, int]
"""The same and the index of a record in the shard."""
SHARD_SIZE = 10
"""Records of every shard but the last one."""
WORD_LIMITS = (None, 1, 2)
"""Limits of words to which captions are sheared; None is no limit."""
ORIGINAL = "alt"
"""The original caption of every record."""
POISON, SERVER_POISON, BAD = "poison", "server-poison", "bad"
"""Parts of the names of images that end their worker, end their server, or cannot be read."""


def caption_of(model: str, image: str, wording: int = 0) -> str:
    """Return what a simulated model says of an image: each pair has a caption of its own.

    `wording` is how often the model was asked to caption the image's shard again: it uses other
    words each time.
    """
    again = f" in wording {wording}" if wording else ""
    return f"{model} says {image.partition('.')[0]}{again}."


def texts_of(raw: str, max_words: int | None) -> set[str]:
    """Return a caption as a log has it, and sheared to so many words."""
    return {raw, " ".join(raw.rstrip(".").split()[:max_words])}


def wrong_caption(i: int) -> CaptionRow:
    """Return a row that must never be kept."""
    return CaptionRow(i, "a caption of another picture.", 3, "stop")
