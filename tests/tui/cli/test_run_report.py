"""What a run without the application prints beside its progress."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from db import supervisor_writes
from db.connection import writing
from db.rows import EventLevel, EventRow, ProjectRow
from engine.state.waiting import clock
from tests.support import canned_projects
from tests.support.canned_rows import NOW, model_row
from tests.tui.keys.states import RUN, progress, snapshot
from tui.cli.run_report import MOST_LINES, REPEAT_SECONDS, EventLines, RunReport
from tui.viewmodel.snapshot import Snapshot


def event(text: str, level: EventLevel = "warn", **values: Any) -> EventRow:
    return EventRow(created=NOW, level=level, text=text, **values)


def printed(lines: EventLines, events: Sequence[EventRow], now: float = NOW) -> list[str]:
    return list(lines.lines(events, now))


def test_warnings_and_failures_are_lines_and_the_rest_is_not() -> None:
    events = [
        event("started", "info"),
        event("no room", model="a", device="cuda:0"),
        event("damaged", "fail", shard=7),
    ]
    assert printed(EventLines(), events) == [
        f"{clock(NOW)}  WARN  cuda:0  a  no room",
        f"{clock(NOW)}  FAIL  shard 00007  damaged",
    ]


def test_what_comes_again_and_again_is_counted() -> None:
    lines = EventLines()
    crash = event("worker ended: exit code 1", device="cuda:0")
    assert len(printed(lines, [crash])) == 1
    others = [replace(crash, device=f"cuda:{n}") for n in range(500)]
    assert printed(lines, others, NOW + 1) == []
    assert printed(lines, [], NOW + REPEAT_SECONDS) == [
        f"500 times more since {clock(NOW)}: worker ended: exit code 1"
    ]
    assert len(printed(lines, [crash], NOW + REPEAT_SECONDS + 1)) == 1
    assert list(lines.counts(NOW, at_the_end=True)) == []


def test_a_flood_of_different_events_is_cut_and_counted() -> None:
    lines = EventLines()
    flood = [event(f"record {n} failed") for n in range(10_000)]
    assert len(printed(lines, flood)) == MOST_LINES
    (count,) = lines.counts(NOW, at_the_end=True)
    assert count == f"{10_000 - MOST_LINES:,} other warnings: see Logs in the application"


def test_after_a_flood_the_next_lines_come_again() -> None:
    lines = EventLines()
    printed(lines, [event(f"record {n} failed") for n in range(MOST_LINES + 1)])
    later = printed(lines, [event("another")], NOW + REPEAT_SECONDS)
    assert later == [
        f"{clock(NOW)}  WARN  another",
        "1 other warning: see Logs in the application",
    ]


# With a project


@pytest.fixture
def report(tmp_path: Path) -> RunReport:
    return RunReport(canned_projects.make_busy_project(tmp_path))


def add(report: RunReport, *events: EventRow) -> None:
    with writing(report.project.database) as connection:
        supervisor_writes.add_events(connection, events)


def test_only_events_since_the_start_are_told_and_each_once(report: RunReport) -> None:
    shown = snapshot()
    assert list(report.new_lines(shown)) == []
    add(report, event("one"), event("two", "fail"))
    assert [line[-3:] for line in report.new_lines(shown)] == ["one", "two"]
    assert list(report.new_lines(shown)) == []
    add(report, event("at the end", "fail"))
    assert [line[-10:] for line in report.last_lines()] == ["at the end"]


def test_more_events_than_are_read_at_a_time(report: RunReport) -> None:
    add(report, *itertools.repeat(event("again"), 2_500), event("last"))
    assert [line[-5:] for line in report.new_lines(snapshot())] == ["again", " last"]
    assert [line[:10] for line in report.last_lines()] == ["2,499 time"]


def paused(reason: str | None, cause: Any) -> Snapshot:
    row = ProjectRow(
        uid="u",
        created=1.0,
        records=10,
        image_root="images",
        paused=True,
        pause_reason=reason,
        pause_cause=cause,
    )
    return snapshot(project=row, supervisor=RUN)


def test_a_pause_is_told_once_with_its_reason_and_its_end(report: RunReport) -> None:
    full = paused("the disk is full", "disk_full")
    add(report, event("paused: the disk is full", "fail"))
    assert list(report.new_lines(full)) == [
        "paused: the disk is full (goes on by itself once there is room;"
        " 'mllmaug-tui resume /p' goes on at once)"
    ]
    assert list(report.new_lines(full)) == []
    assert next(report.reminders(full)).startswith("paused: the disk is full")
    assert list(report.new_lines(snapshot(supervisor=RUN))) == ["going on"]
    assert list(report.new_lines(paused(None, "user"))) == [
        "paused: by the user ('mllmaug-tui resume /p' goes on)"
    ]


def test_who_attaches_is_told_what_the_run_waits_for(report: RunReport) -> None:
    waiting = replace(progress(model_row(1, "otter"), 5), pending=3)
    shown = snapshot(supervisor=RUN, models=(waiting,))
    text = "3 tasks of otter wait: the run has no device; it waits for nodes"
    assert list(report.new_lines(shown)) == []
    attached = RunReport(report.project, attached=True)
    assert list(attached.new_lines(shown)) == [text]
    assert list(attached.new_lines(shown)) == []
    assert list(attached.reminders(shown)) == [text]


def test_a_server_that_answers_again(report: RunReport) -> None:
    row = model_row(1, "otter")
    gone = snapshot(models=(progress(replace(row, unavailable="HTTP 500"), 5),))
    assert list(report.new_lines(gone)) == []
    assert list(report.new_lines(snapshot(models=(progress(row, 5),)))) == ["otter captions again"]


def test_a_snapshot_that_could_not_be_read_says_nothing(report: RunReport) -> None:
    assert list(report.new_lines(None)) == []
