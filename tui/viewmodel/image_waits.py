"""Whether models stand still for want of images, which then come too slowly for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.formatting import text

if TYPE_CHECKING:
    from tui.viewmodel.snapshot import Snapshot

MUCH = 0.2
"""The share of the time from which it is said that a model waits for images."""


def image_waits(snapshot: Snapshot) -> str | None:
    """Return on which devices models wait for images, and for what share of the time.

    None if none waits much.
    """
    waiting = [
        (view.row.id, view.worker.row.image_wait)
        for view in snapshot.devices
        if view.worker is not None and view.worker.row.image_wait >= MUCH
    ]
    if not waiting:
        return None
    named = ", ".join(f"{device} {text.percent(share)}" for device, share in waiting)
    return f"waiting for images, of the time: {named}"
