"""How many images failed: those of which a model has no caption although it was asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.utils.plurals import plural

if TYPE_CHECKING:
    from db.failures import Cause
    from db.rows import FailedImages
    from tui.viewmodel.snapshot import Snapshot


def image_count(failed: FailedImages) -> str:
    """Return the number of images that failed, with `+` behind it if there may be more."""
    return f"{failed.count:,}{'' if failed.exact else '+'}"


def images_failed(failed: FailedImages) -> str:
    """Return how many images failed, such as "1 image failed" or "4+ images failed"."""
    noun = "image" if failed.count == 1 and failed.exact else "images"
    return f"{image_count(failed)} {noun} failed"


def failed_line(snapshot: Snapshot) -> str:
    """Return how many images failed, and how many captions that leaves out; empty if none did."""
    if not snapshot.failed:
        return ""
    failed = snapshot.failed_images
    line = images_failed(failed)
    captions = sum(model.failed for model in snapshot.captioners)
    if failed.exact and captions <= failed.count:
        return line
    return f"{line}: {plural(captions, 'caption')} missing"


def failed_word(cause: Cause) -> str:
    """Return what failed for a cause: an image, a caption that was sheared to nothing, a shard."""
    if cause.scope == "shard":
        return "shard"
    return "caption" if cause.images is None else "image"


def failed_number(cause: Cause) -> str:
    """Return how many of them failed."""
    return f"{cause.count:,}" if cause.images is None else image_count(cause.images)


def failed_text(cause: Cause) -> str:
    """Return how many failed for a cause, such as "4 images (12 failures) in 2 shards"."""
    number, word = failed_number(cause), failed_word(cause)
    text = f"{number} {word}" if number == "1" else f"{number} {word}s"
    if cause.scope == "shard":
        return text
    if cause.images is not None and cause.count != cause.images.count:
        text += f" ({plural(cause.count, 'failure')})"
    return f"{text} in {plural(cause.shards, 'shard')}"
