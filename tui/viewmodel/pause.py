"""The texts for a project that is paused."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from db.rows import PauseCause
    from tui.viewmodel.snapshot import Snapshot

BY_ITSELF: dict[PauseCause, str] = {
    "disk_full": "goes on by itself once there is room",
    "cannot_write": "goes on by itself once the project can be written, which is tried again and"
    " again",
    "root_lost": "looks for the images again by itself, after half a minute, then less often",
    "devices_lost": "goes on by itself once a device is there",
}
"""How a run that paused itself goes on, by the cause of its pause."""


def pause_reason(snapshot: Snapshot) -> str:
    """Return why the project is paused."""
    return snapshot.project.pause_reason or "by the user"


def how_to_go_on(snapshot: Snapshot) -> str:
    """Return when a paused project goes on by itself, if so, and the command by which it does."""
    folder = quote(str(snapshot.folder))
    if snapshot.supervisor is None:
        return f"'mllmaug-tui run {folder}' goes on"
    cause = snapshot.project.pause_cause
    by_itself = BY_ITSELF.get(cause) if cause is not None else None
    if by_itself is None:
        return f"'mllmaug-tui resume {folder}' goes on"
    return f"{by_itself}; 'mllmaug-tui resume {folder}' goes on at once"
