"""Names that outlive a rebuilt database, and what a simulated model says of an image."""

from __future__ import annotations

from collections.abc import Iterable

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


PROMPTS = {"Look at it once more.": "at a second look", "Describe the picture.": "in short"}
"""The prompts with which single captions are asked again, and what a model adds to each then."""
NO_BETTER = ""
"""What a model may say when it is asked again, and what must not replace a caption."""


def caption_of(model: str, image: str, wording: int = 0, prompt: str | None = None) -> str:
    """Return what a simulated model says of an image: each pair has a caption of its own.

    `wording` is how often the model was asked to caption the image's shard again: it uses other
    words each time. So it does for each of the `PROMPTS`.
    """
    again = f" in wording {wording}" if wording else ""
    if prompt is not None:
        again = f" {PROMPTS[prompt]}"
    return f"{model} says {image.partition('.')[0]}{again}."


def captions_ever(model: str, image: str, newest_wording: int, prompts: Iterable[str]) -> list[str]:
    """Return all that a model may have said of an image up to a wording, or with a prompt."""
    return [caption_of(model, image, number) for number in range(newest_wording + 1)] + [
        caption_of(model, image, prompt=prompt) for prompt in prompts
    ]


def texts_of(raw: str, max_words: int | None) -> set[str]:
    """Return a caption as a log has it, and sheared to so many words."""
    return {raw, " ".join(raw.rstrip(".").split()[:max_words])}


def wrong_caption(i: int) -> CaptionRow:
    """Return a row that must never be kept."""
    return CaptionRow(i, "a caption of another picture.", 3, "stop")
