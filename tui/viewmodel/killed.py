"""The texts for a run that was killed."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from tui.formatting import text

if TYPE_CHECKING:
    from tui.viewmodel.snapshot import Snapshot


def killed_time(snapshot: Snapshot) -> str:
    """Return when the run was killed; empty if it was not, or goes on."""
    if snapshot.state != "killed" or snapshot.killed_at is None:
        return ""
    return text.moment(snapshot.killed_at, snapshot.taken_at)


def what_is_lost(snapshot: Snapshot) -> str:
    """Return what is lost of a run that was killed, and the command that goes on with it."""
    return f"no caption is lost; 'mllmaug-tui run {quote(str(snapshot.folder))}' goes on"
