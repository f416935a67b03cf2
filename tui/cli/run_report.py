"""What a run without the application says beside its progress: events, pauses, waits."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence

from db import progress
from db.connection import DatabaseError, reading
from db.rows import EventRow
from engine.project.layout import Project
from engine.state.waiting import clock
from engine.utils.plurals import plural
from tui.viewmodel.model_waiting import model_waits
from tui.viewmodel.pause import how_to_go_on, pause_reason
from tui.viewmodel.snapshot import Snapshot
from tui.viewmodel.state_labels import LEVEL_LABELS

REPEAT_SECONDS = 60.0
"""Seconds within which events of the same text are counted and not printed again."""
MOST_LINES = 40
"""Lines of events that are printed in `REPEAT_SECONDS`, at most: what a person still reads."""
EVENTS_READ = 1_000
"""Events that are read at a time."""


class EventLines:
    """Turns events into lines, of which none is a flood: what is not printed is counted.

    Times are seconds since the epoch.
    """

    def __init__(self) -> None:
        self.repeats: dict[tuple[str, str | None, str], tuple[float, int]] = {}
        """When an event of this level, model and text was last printed, and how many like it came
        since."""
        self.printed: deque[float] = deque()
        """When the last lines were printed, as far as they count for `MOST_LINES`."""
        self.left_out = 0
        """Events that were too many, and have not been counted in a line yet."""

    def lines(self, events: Sequence[EventRow], now: float) -> Iterator[str]:
        """Yield the lines for warnings and failures, and the counts of repeats that are over."""
        for event in events:
            if event.level == "info":
                continue
            key = event.level, event.model, event.text
            if key in self.repeats:
                at, count = self.repeats[key]
                self.repeats[key] = at, count + 1
            elif self.has_room(now):
                self.repeats[key] = now, 0
                yield event_line(event)
            else:
                self.left_out += 1
        yield from self.counts(now)

    def has_room(self, now: float) -> bool:
        """Return True, and count a line, if another line may be printed now."""
        while self.printed and now - self.printed[0] >= REPEAT_SECONDS:
            self.printed.popleft()
        if len(self.printed) >= MOST_LINES:
            return False
        self.printed.append(now)
        return True

    def counts(self, now: float, at_the_end: bool = False) -> Iterator[str]:
        """Yield the counts of what was not printed and is not printed any more."""
        for key, (at, count) in list(self.repeats.items()):
            if at_the_end or now - at >= REPEAT_SECONDS:
                del self.repeats[key]
                if count:
                    yield f"{plural(count, 'time')} more since {clock(at)}: {key[2]}"
        if self.left_out and (at_the_end or self.has_room(now)):
            yield f"{plural(self.left_out, 'other warning')}: see Logs in the application"
            self.left_out = 0


def event_line(event: EventRow) -> str:
    """Return the event as a line, with what it is about."""
    shard = None if event.shard is None else f"shard {event.shard:05}"
    about = filter(None, (event.device, event.model, shard, event.text))
    return f"{clock(event.created)}  {LEVEL_LABELS[event.level]}  {'  '.join(about)}"


class RunReport:
    """The lines of one run, from the moment at which this is made."""

    def __init__(self, project: Project, attached: bool = False) -> None:
        """With `attached`, the run was there before: first it is said what it waits for."""
        self.project = project
        self.tell_waits = attached
        self.last_event = self.newest_event()
        """Id of the newest event that was looked at."""
        self.events = EventLines()
        self.paused = False
        self.unavailable: set[str] = set()
        """Names of the models whose server does not answer."""

    def newest_event(self) -> int:
        try:
            with reading(self.project.database) as connection:
                return progress.last_event_id(connection)
        except DatabaseError:
            return 0

    def new_lines(self, snapshot: Snapshot | None) -> Iterator[str]:
        """Yield what is new since the last call; `snapshot` is None if it could not be read."""
        if snapshot is None:
            return
        if self.tell_waits:
            self.tell_waits = False
            yield from (wait.text for wait in model_waits(snapshot).values())
        # The line of a pause says what its event says, and how it goes on.
        paused = f"paused: {snapshot.project.pause_reason}"
        events = [event for event in self.new_events() if event.text != paused]
        yield from self.events.lines(events, snapshot.taken_at)
        if snapshot.project.paused != self.paused:
            self.paused = snapshot.project.paused
            yield pause_line(snapshot)
        unavailable = {m.row.name for m in snapshot.models if m.row.unavailable is not None}
        yield from (f"{name} captions again" for name in sorted(self.unavailable - unavailable))
        self.unavailable = unavailable

    def new_events(self) -> list[EventRow]:
        """Return the events that came since the last call, oldest first."""
        found: list[EventRow] = []
        try:
            with reading(self.project.database) as connection:
                while True:
                    page = progress.events_after(connection, self.last_event, EVENTS_READ)
                    found += (event for _, event in page)
                    if not page:
                        break
                    self.last_event = page[-1][0]
        except DatabaseError:
            pass  # what was not read yet is read the next time
        return found

    def reminders(self, snapshot: Snapshot) -> Iterator[str]:
        """Yield what the run waits for, as it has for some time."""
        if snapshot.project.paused:
            yield pause_line(snapshot)
        yield from (wait.text for wait in model_waits(snapshot).values())

    def last_lines(self) -> Iterator[str]:
        """Yield what came at the very end of the run."""
        now = time.time()
        yield from self.events.lines(self.new_events(), now)
        yield from self.events.counts(now, at_the_end=True)


def pause_line(snapshot: Snapshot) -> str:
    """Return the line that says that the project was paused, why, and how it goes on, or that it
    goes on."""
    if not snapshot.project.paused:
        return "going on"
    return f"paused: {pause_reason(snapshot)} ({how_to_go_on(snapshot)})"
