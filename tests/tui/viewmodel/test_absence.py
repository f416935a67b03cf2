"""What is told of the time in which nobody looked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from db.rows import EventRow, FailedImages
from tests.support.canned_rows import NOW
from tests.tui.keys.states import session, snapshot
from tui.config import user_files
from tui.session.presence import Presence
from tui.viewmodel.absence import ABSENCE_SECONDS, changes, seen_in, since_you_left
from tui.viewmodel.snapshot import Snapshot

BEFORE = snapshot(captioned=5)
TROUBLE = EventRow(created=NOW + 5, level="warn", text="x")
OLD = replace(TROUBLE, created=NOW - 5)
DONE = {"pending": 0, "running": 0, "done": 1, "failed": 0, "skipped": 0}


@pytest.mark.parametrize(
    ("after", "found"),
    [
        (BEFORE, []),
        (snapshot(captioned=9), ["4 captions"]),
        (snapshot(captioned=2), []),  # settings changed: they are captioned anew
        (snapshot(captioned=10, tasks=DONE), ["finished", "5 captions", "1 task done"]),
        (snapshot(killed_at=NOW), ["killed"]),
        (snapshot(failed_images=FailedImages(3, exact=False)), ["3 images failed"]),
        (
            snapshot(events=(TROUBLE, replace(TROUBLE, level="info"), OLD)),
            ["1 warning or failure"],
        ),
        (snapshot(events=(TROUBLE,)), ["1+ warning or failure"]),
    ],
)
def test_what_is_new(after: Snapshot, found: list[str]) -> None:
    assert changes(seen_in(BEFORE, NOW), after) == found


def test_a_short_absence_is_none() -> None:
    seen = seen_in(BEFORE, NOW)
    assert since_you_left(seen, BEFORE, NOW + ABSENCE_SECONDS - 1) is None
    told = since_you_left(seen, BEFORE, NOW + 3_600)
    assert told is not None
    assert told.endswith("(1h00m): nothing happened")


def test_the_next_start_knows_how_the_project_was_seen(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    times = {"now": NOW}
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr("tui.session.presence.time.time", lambda: times["now"])
    first = Presence(session(BEFORE))
    assert first.on_snapshot() is None
    times["now"] += 5.0
    assert first.on_key() is None
    times["now"] += 900.0
    told = first.on_key()
    assert told is not None
    assert first.session.since_you_left == told
    first.save()
    times["now"] += 7_200.0
    shown = session(snapshot(captioned=7))
    later: Any = Presence(shown)
    told = later.on_snapshot()
    assert told is not None
    assert told.endswith("(2h00m): 2 captions")
    assert later.on_snapshot() is None
    user_files.remember_seen("u", {"at": "nonsense"})
    assert Presence(shown).on_snapshot() is None
