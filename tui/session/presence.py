"""When the user was there last, and what they are told when they come back."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import msgspec

from tui.config import user_files
from tui.viewmodel.absence import Seen, seen_in, since_you_left

if TYPE_CHECKING:
    from tui.session.session import Session


class Presence:
    """How the user saw the project last: with their last key, or before the application ended."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.seen: Seen | None = None
        """None until the first snapshot is there."""

    def on_snapshot(self) -> str | None:
        """Return what happened since the application ended last, with the first snapshot alone."""
        if self.seen is not None or self.session.snapshot is None:
            return None
        self.seen = seen_before(self.session.snapshot.project.uid)
        return self.on_key()

    def on_key(self) -> str | None:
        """Note that the user is there; return what happened if they were away."""
        snapshot, before, now = self.session.snapshot, self.seen, time.time()
        if snapshot is None:
            return None
        self.seen = seen_in(snapshot, now)
        told = None if before is None else since_you_left(before, snapshot, now)
        if told is not None:
            self.session.since_you_left = told
        return told

    def save(self) -> None:
        """Keep it for the next start."""
        if self.seen is not None and self.session.snapshot is not None:
            user_files.remember_seen(self.session.snapshot.project.uid, asdict(self.seen))


def seen_before(uid: str) -> Seen | None:
    """Return how the project with this uid was seen last; None if it never was."""
    try:
        return msgspec.convert(user_files.last_seen().get(uid), Seen)
    except msgspec.ValidationError:
        return None
