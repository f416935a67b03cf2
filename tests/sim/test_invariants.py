"""The checker is checked: each invariant finds the breach that is planted here, and only that."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from sqlalchemy import text

from db import projects
from db.connection import reading, writing
from engine.project.caption_log import CaptionLog, to_lines
from engine.project.layout import Project
from engine.protocol.caption_row import ASKED_AGAIN, AskedAgainRow
from engine.supervisor.dispatcher import Dispatcher
from engine.supervisor.supervisor import Supervisor
from engine.supervisor.task_runner import TaskRunner
from tests.sim import calm, simulation, watch
from tests.sim.disk import SimulatedDisk
from tests.sim.invariants import Checker
from tests.sim.log_reading import asked_though_excluded
from tests.sim.naming import PROMPTS
from tests.sim.project import base_folder, check_outside
from tests.sim.simulation import Simulation, simulate
from tests.sim.virtual_time import VirtualTime
from tests.sim.watch import RunWatch


@dataclass
class Done:
    """A simulated project that is done, and what checks it."""

    project: Project
    checker: Checker
    disk: SimulatedDisk

    def log(self) -> Path:
        """Return the caption log of the first task."""
        return min(self.project.captions.glob("a-*/00000.jsonl"))

    def rows(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.log().read_text().splitlines()]

    def write(self, rows: list[dict[str, object]]) -> None:
        self.log().write_text("".join(json.dumps(row) + "\n" for row in rows))

    def set(self, table: str, values: str) -> None:
        """Change the row of the first task in a table of the database, the newest one."""
        key = "id" if table == "task" else "task_id"
        newest = f"rowid = (SELECT max(rowid) FROM {table} WHERE {key} = 1)"
        with writing(self.project.database) as connection:
            connection.execute(text("PRAGMA ignore_check_constraints = ON"))
            connection.execute(text(f"UPDATE {table} SET {values} WHERE {newest}"))

    def violations(self, end: bool = False) -> list[str]:
        """Check anew, as after a run, and return what was found."""
        self.checker.violations.clear()
        self.checker.check("then", self.disk, saved=True)
        if end:
            self.checker.check_end()
        return self.checker.violations


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> Iterator[Done]:
    """Give a project that was done without a fault, and never touched by a person."""
    monkeypatch.setattr(simulation, "STORM_RUNS", (1, 1))
    schedule = Simulation(4, only=set())
    assert schedule.run().violations == []
    truth = schedule.checker.truth
    for noted in (truth.excluded, truth.redone, truth.ends, truth.load_failures):
        noted.clear()
    done = Done(schedule.project, schedule.checker, schedule.disk)
    assert done.violations(end=True) == []
    yield done


def first_caption(rows: list[dict[str, object]]) -> int:
    return next(n for n, row in enumerate(rows) if "raw" in row)


def wrong_caption(done: Done) -> None:
    rows = done.rows()
    rows[first_caption(rows)]["raw"] = "a caption of another picture."
    done.write(rows)


def lost_caption(done: Done) -> None:
    rows = done.rows()
    del rows[first_caption(rows)]
    done.write(rows)


def doubled_caption(done: Done) -> None:
    rows = done.rows()
    done.write([*rows, rows[first_caption(rows)]])


def foreign_line(done: Done) -> None:
    done.log().write_bytes(done.log().read_bytes() + b"no row\n")


def changed_log(done: Done) -> None:
    done.write(done.rows()[::-1])
    done.checker.on_change(done.log())


def failed_record(kind: str, detail: str = "for a test") -> Callable[[Done], None]:
    def breach(done: Done) -> None:
        rows = done.rows()
        rows[first_caption(rows)] = {
            "i": rows[first_caption(rows)]["i"],
            "error": kind,
            "detail": detail,
        }
        done.checker.durable.clear()
        done.write(rows)

    return breach


def asks_again(prompt: str, i: int = 0) -> AskedAgainRow:
    had = ("loops",)
    return AskedAgainRow(i, ASKED_AGAIN, "loops", had, had, {"prompt": prompt}, "en")


def left_to_be_asked(done: Done) -> None:
    rows = done.rows()
    index = rows[first_caption(rows)]["i"]
    assert isinstance(index, int)
    row = to_lines([asks_again(next(iter(PROMPTS)), index)])
    done.log().write_bytes(done.log().read_bytes() + row)


def changed(table: str, values: str) -> Callable[[Done], None]:
    return lambda done: done.set(table, values)


def put(path: Path) -> None:
    path.write_text("")


def sent_twice(done: Done) -> None:
    done.checker.truth.on_sent(1, attempt=1, indexes={0, 1})
    done.checker.truth.on_sent(1, attempt=1, indexes={0, 2})


BREACHES: list[tuple[str, Callable[[Done], None], str]] = [
    ("a caption of another record", wrong_caption, "has a caption of another"),
    ("a lost caption", lost_caption, "are lost"),
    ("a caption twice", doubled_caption, "captioned twice"),
    ("a foreign line", foreign_line, "foreign lines"),
    ("an innocent record failed", failed_record("poison"), "was failed as poison"),
    ("a caption that was refused", failed_record("invalid"), "was failed as invalid"),
    ("a record excluded by nobody", failed_record("excluded"), "was failed as excluded"),
    ("a finished log, changed before a run", changed_log, "and its log was changed"),
    ("more rows than the log has", changed("task", "rows = 99"), "counts 99 rows"),
    ("fewer captions than the log has", changed("task", "captioned = 1"), "does not hold"),
    ("another digest", changed("task", "digest = 'x'"), "the digest of task 1"),
    ("failed, no reason", changed("task", "state = 'failed'"), "failed without a reason"),
    (
        "failed for a shard that is whole",
        changed("task", "state = 'failed', error = 'x', error_cause = 'shard_changed'"),
        "its shard was not touched",
    ),
    (
        "failed for a model that loads",
        changed("task", "state = 'failed', error = 'x', error_cause = 'model_blocked'"),
        "its model was loaded well enough",
    ),
    (
        "failed with two strikes",
        changed("task", "state = 'failed', error = 'x', error_cause = 'crashed', strikes = 2"),
        "with 2 strikes",
    ),
    (
        "failed though no worker ended",
        changed("task", "state = 'failed', error = 'x', error_cause = 'crashed', strikes = 3"),
        "after 0 ends",
    ),
    (
        "an open attempt of a task that is done",
        changed("attempt", "ended = NULL, outcome = NULL"),
        "has an open attempt",
    ),
    ("half an end", changed("attempt", "outcome = NULL"), "has half an end"),
    ("an unknown outcome", changed("attempt", "outcome = 'tired'"), "tired"),
    ("an attempt to come", changed("attempt", "number = number + 7"), "has attempt"),
    ("running, with no attempt", changed("task", "state = 'running'"), "has no open attempt"),
    (
        "a request answered twice",
        lambda done: done.checker.truth.answers.update([3, 3]),
        "request 3 was answered 2 times",
    ),
    (
        "a log that is not on the disk",
        lambda done: done.disk.synced.update({done.log(): 1}),
        "is done, and its log was not synced",
    ),
    (
        "a record that is sent twice in one attempt",
        sent_twice,
        "were sent twice: [0]",
    ),
]


@pytest.mark.parametrize(
    ("breach", "found"), [(b, f) for _, b, f in BREACHES], ids=[n for n, _, _ in BREACHES]
)
def test_a_breach_is_found_after_a_run(
    done: Done, breach: Callable[[Done], None], found: str
) -> None:
    breach(done)
    assert any(found in violation for violation in done.violations())


def test_rows_that_a_failed_sync_took_back_may_be_counted_until_a_run_commits(done: Done) -> None:
    done.set("task", "rows = 99")
    done.disk.taken_back.add(done.log())
    assert done.violations() == []
    done.disk.taken_back.clear()
    assert any("counts 99 rows" in violation for violation in done.violations())


def test_what_a_killed_request_left_behind_a_finished_log_need_not_be_synced(done: Done) -> None:
    done.disk.synced[done.log()] = size = done.log().stat().st_size
    done.log().write_bytes(done.log().read_bytes() + b'{"i": 0, "error": "x", "detail": "x"}\n')
    assert not any("was not synced" in violation for violation in done.violations())
    done.disk.synced[done.log()] = size - 1
    assert any("was not synced" in violation for violation in done.violations())


AT_END: list[tuple[str, Callable[[Done], None], str]] = [
    ("not done", changed("task", "state = 'skipped'"), "is skipped"),
    ("wrong end", failed_record("corrupt"), "ends as corrupt"),
    ("a failure not counted", changed("failure", "count = count + 1"), "failures of task 1"),
    ("a record that waits to be asked again", left_to_be_asked, "wait to be asked: [0]"),
    ("an unanswered request", lambda done: done.checker.truth.asked.add(4), "[4]"),
    (
        "a file that is none of a project's",
        lambda done: put(done.project.shards / "x.tmp"),
        "shards/x.tmp is no file",
    ),
    (
        "a link",
        lambda done: (done.project.logs / "x").symlink_to("/"),
        "logs/x is no file",
    ),
]


@pytest.mark.parametrize(
    ("breach", "found"), [(b, f) for _, b, f in AT_END], ids=[n for n, _, _ in AT_END]
)
def test_a_breach_is_found_at_the_end(
    done: Done, breach: Callable[[Done], None], found: str
) -> None:
    done.project.logs.mkdir(exist_ok=True)
    breach(done)
    assert any(found in violation for violation in done.violations(end=True))


def test_a_row_that_no_worker_was_asked_for_is_found(done: Done) -> None:
    done.checker.truth.on_sent(1, attempt=1, indexes={0, 1})
    row = b'{"i": %d, "raw": "x", "tokens": 1, "finish": "stop"}\n'
    done.checker.on_write(done.log(), row % 1)
    assert done.checker.violations == []
    done.checker.on_write(done.log(), row % 2)
    done.checker.on_write(done.log(), b'{"i": 0, "raw"\n')
    assert len(done.checker.violations) == 2
    done.checker.violations.clear()
    done.checker.on_write(done.log(), b'{"i": 7, "error": "excluded", "detail": "x"}\n')
    assert done.checker.violations == []


def test_a_record_that_nobody_wanted_to_be_asked_again_is_found(done: Done) -> None:
    wanted, other = PROMPTS
    done.checker.truth.prompts[done.checker.truth.names[1]].add(wanted)
    done.checker.on_write(done.log(), to_lines([asks_again(wanted)]))
    assert done.checker.violations == []
    done.checker.on_write(done.log(), to_lines([asks_again(other)]))
    (violation,) = done.checker.violations
    assert "is asked again, and nobody wanted that" in violation


def test_an_excluded_record_that_is_asked_again_is_found() -> None:
    excluded = b'{"i": 0, "error": "excluded", "detail": "x"}\n'
    back = b'{"i": 0, "error": "readmitted", "detail": "x"}\n'
    caption = b'{"i": 0, "raw": "x", "tokens": 1, "finish": "stop"}\n'
    assert asked_though_excluded(excluded + caption, 1) == [0]
    assert asked_though_excluded(excluded + back + caption, 1) == []


def test_a_file_outside_the_project_is_found() -> None:
    beside = base_folder() / "beside"
    beside.mkdir()
    try:
        assert check_outside() == ["beside was made outside the project"]
    finally:
        beside.rmdir()


def test_a_change_outside_the_project_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "old"
    old.touch()
    violations = violations_with(monkeypatch, TaskRunner, "sync_logs", lambda _: old.write_text(""))
    assert violations[0].endswith("old is changed, outside the project")


def violations_with(
    monkeypatch: pytest.MonkeyPatch, owner: object, name: str, value: object
) -> list[str]:
    """Return what is violated without any fault while a part of the product is replaced."""
    monkeypatch.setattr(owner, name, value)
    return simulate(4, only=set()).violations


def test_a_device_that_idles_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    (violation,) = violations_with(monkeypatch, Dispatcher, "start_worker", lambda *_: None)
    assert "is idle beside work" in violation


def test_a_run_that_waits_without_a_word_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RunWatch, "check_idle", lambda *_: None)
    monkeypatch.setattr(watch, "status_lines", lambda _: iter(["project: running"]))
    (violation,) = violations_with(monkeypatch, Dispatcher, "dispatch", lambda *_, **__: None)
    assert "gets nowhere and does not say why" in violation


def test_a_run_that_does_not_end_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calm, "CALM_TURNS", 100)
    monkeypatch.setattr(RunWatch, "check_quiet", lambda *_: None)
    (violation,) = violations_with(monkeypatch, Supervisor, "is_finished", lambda _: False)
    assert "the run does not end" in violation


def test_a_log_that_is_not_synced_for_long_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = replace(simulation.POLICY, sync_every=0.1, kill_after=0.1)
    monkeypatch.setattr(simulation, "POLICY", quick)
    (violation,) = violations_with(monkeypatch, TaskRunner, "sync_logs", lambda _: None)
    assert "were not synced for long" in violation


def test_a_log_that_is_never_synced_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TaskRunner, "sync_logs", lambda _: None)
    monkeypatch.setattr(RunWatch, "check", lambda *_: None)
    violations = violations_with(monkeypatch, CaptionLog, "sync", lambda _: None)
    assert any("was written to and never synced" in violation for violation in violations)


def test_a_run_that_ends_with_a_traceback_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    (violation,) = violations_with(monkeypatch, TaskRunner, "sync_logs", lambda _: 1 / 0)
    assert "ZeroDivisionError" in violation


def test_a_task_that_runs_while_the_database_has_it_as_done_is_found(done: Done) -> None:
    with reading(done.project.database) as connection:
        tasks = {task.id: replace(task, state="running") for task in projects.tasks(connection)}
    state = SimpleNamespace(ledger=SimpleNamespace(tasks=tasks))
    found: list[str] = []
    watched = RunWatch(done.project, VirtualTime(), done.disk, simulation.POLICY, found.append)
    for committed_at in (7.0, 0.0):
        assert found == []
        supervisor = SimpleNamespace(committed_at=committed_at, project_state=state)
        watched.check_retried(cast(Supervisor, supervisor))
    assert found[0] == "task 1 runs, and the database has it as done"


def test_the_time_in_which_a_run_was_paused_is_not_held_against_it(
    done: Done, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`status` has said why nothing went on; what begins after the pause may take its time."""
    monkeypatch.setattr(watch, "status_lines", lambda _: iter(["project: running"]))
    time, found = VirtualTime(), list[str]()
    watched = RunWatch(done.project, time, done.disk, simulation.POLICY, found.append)
    for paused, violations in ((True, 0), (False, 0), (False, 1)):
        state = SimpleNamespace(
            ledger=SimpleNamespace(tasks={}), settings=SimpleNamespace(paused=paused)
        )
        supervisor = SimpleNamespace(project_state=state, committed_at=time.now)
        watched.check_quiet(cast(Supervisor, supervisor))
        assert len(found) == violations
        time.now += watched.quiet_seconds + 1


def test_a_wrong_export_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def export(_: Project, out: Path) -> None:
        out.write_text("[]")

    (violation,) = violations_with(monkeypatch, calm, "export", export)
    assert "the export is not that of a run" in violation


def test_a_command_that_is_carried_out_beside_a_run_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fcntl, "flock", lambda *_: None)
    found = (simulate(seed).violations for seed in range(1, 60))
    assert any("was carried out beside a run" in text for texts in found for text in texts)
