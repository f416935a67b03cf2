"""How many images failed: those of which a model has no caption although it was asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.utils.plurals import plural

if TYPE_CHECKING:
    from db.rows import FailedImages
    from tui.viewmodel.snapshot import Snapshot


def image_count(failed: FailedImages) -> str:
    """Return the number of images that failed, with `+` behind it if there may be more."""
    return f"{failed.count:,}{'' if failed.exact else '+'}"


def failed_line(snapshot: Snapshot) -> str:
    """Return how many images failed, and how many captions that leaves out; empty if none did."""
    if not snapshot.failed:
        return ""
    failed = snapshot.failed_images
    if failed.exact and failed.count == snapshot.failed:
        return f"{plural(failed.count, 'image')} failed"
    noun = "image" if failed.count == 1 and failed.exact else "images"
    lacking = plural(snapshot.failed, "caption")
    return f"{image_count(failed)} {noun} failed: {lacking} missing"
