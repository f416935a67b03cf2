"""What happened to a project while nobody looked at it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tui.formatting import text

if TYPE_CHECKING:
    from tui.viewmodel.snapshot import Snapshot

ABSENCE_SECONDS = 600.0
"""Seconds without a key after which a person counts as having been away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A project as a person saw it last."""

    at: float
    """When, in seconds since the epoch."""
    captioned: int
    failed_images: int
    tasks_done: int
    state: str
    """A `tui.viewmodel.snapshot.ProjectStatus`."""


def seen_in(snapshot: Snapshot, now: float) -> Seen:
    """Return what a person sees of a project who looks at it now (seconds since the epoch)."""
    return Seen(
        at=now,
        captioned=snapshot.captioned,
        failed_images=snapshot.failed_images.count,
        tasks_done=snapshot.tasks["done"],
        state=snapshot.state,
    )


def since_you_left(seen: Seen, snapshot: Snapshot, now: float) -> str | None:
    """Return what happened since a person saw the project last; None if that was just now."""
    if now - seen.at < ABSENCE_SECONDS:
        return None
    what = ", ".join(changes(seen, snapshot)) or "nothing happened"
    return f"since you left at {text.moment(seen.at, now)} ({text.duration(now - seen.at)}): {what}"


def changes(seen: Seen, snapshot: Snapshot) -> list[str]:
    """Return what is new, the most important first."""
    found: list[str] = [snapshot.state] if snapshot.state != seen.state else []
    if (captions := snapshot.captioned - seen.captioned) > 0:
        found.append(text.plural(captions, "caption"))
    if (tasks := snapshot.tasks["done"] - seen.tasks_done) > 0:
        found.append(f"{text.plural(tasks, 'task')} done")
    if (failed := snapshot.failed_images.count - seen.failed_images) > 0:
        found.append(f"{text.plural(failed, 'image')} failed")
    troubles = [e for e in snapshot.events if e.level != "info" and e.created > seen.at]
    if troubles:
        at_least = "+" if len(troubles) == len(snapshot.events) else ""
        noun = "warning or failure" if len(troubles) == 1 else "warnings and failures"
        found.append(f"{len(troubles)}{at_least} {noun}")
    return found
