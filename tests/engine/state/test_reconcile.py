"""The start of a run: the table in docs/architecture.md, "The start of a run", row by row."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from engine.captioners.registry import IMPORTED
from engine.project.caption_log import CaptionLog
from engine.protocol.caption_row import Row
from engine.state import completion, reconcile
from engine.state.reconcile import log_path
from tests.support.run_in_memory import RunInMemory, caption, failure

PAGE = Path(__file__).parents[3] / "docs/architecture.md"
COUNT = 4

Step = Callable[[RunInMemory], None]


@dataclass(frozen=True)
class Case:
    """One case of a row: what the database and the log say, and the task after the start."""

    row: int
    """The number of the row in the page's table, from 0."""
    given: Step
    """Brings the task into its state."""
    log: Step
    """What has become of the caption log since the database was saved."""
    task: dict[str, object]
    """Fields of the task afterwards."""
    event: str = ""
    """A part of the event that tells of it; empty if nothing is told."""
    name: str = field(default="")


def log_of(run: RunInMemory) -> Path:
    return log_path(run.state, run.task)


def append(*rows: Row) -> Step:
    def write(run: RunInMemory) -> None:
        log = CaptionLog(log_of(run), COUNT)
        log.append(rows)
        log.close()

    return write


def whole_log(run: RunInMemory) -> None:
    append(*(caption(i) for i in range(COUNT)))(run)


def saved(state: str, **values: Any) -> Step:
    """Return the step after which the database has the task as it is, in this state."""

    def save(run: RunInMemory) -> None:
        log = log_of(run)
        size = log.stat().st_size if log.exists() else 0
        run.change_task(state=state, log_bytes=size, **values)

    return save


def done(run: RunInMemory) -> None:
    whole_log(run)
    reconcile.catch_up(run.state, run.task, log_of(run), run.clock.time())
    assert run.task.state == "done"


def then(*steps: Step) -> Step:
    def run_all(run: RunInMemory) -> None:
        for step in steps:
            step(run)

    return run_all


def tear(run: RunInMemory) -> None:
    with log_of(run).open("ab") as file:
        file.write(b'{"i": 3, "raw": "to')


def imported(run: RunInMemory) -> None:
    """Make the task's model one whose captions were all made elsewhere."""
    model = run.state.models[run.task.model_id]
    run.state.save_model(replace(model, family=IMPORTED, checkpoint=None, settings={}))


def unchanged(run: RunInMemory) -> None:
    pass


def done_with_failures(run: RunInMemory) -> None:
    append(caption(0), failure(1), caption(2), failure(3))(run)
    reconcile.catch_up(run.state, run.task, log_of(run), run.clock.time())
    assert run.task.state == "done"


def exclude_and_die(run: RunInMemory) -> None:
    log = CaptionLog(log_of(run), COUNT)
    assert log.exclude({1, 3}) == 2
    log.close()


def touch(run: RunInMemory) -> None:
    os.utime(log_of(run), ns=(1, 1))


def cut_last_row(run: RunInMemory) -> None:
    lines = log_of(run).read_bytes().splitlines(keepends=True)
    log_of(run).write_bytes(b"".join(lines[:-1]))


def replace_last_row(run: RunInMemory) -> None:
    """Change the log and leave its size: one caption is another one now."""
    data = log_of(run).read_bytes()
    log_of(run).write_bytes(data.replace(b"picture of 3", b"puzzles of 3"))


def append_another_caption(run: RunInMemory) -> None:
    with log_of(run).open("ab") as file:
        file.write(b'{"i":3,"raw":"of another image","tokens":3,"finish":"stop"}\n')


RUNNING = then(append(caption(0), caption(1)), saved("running", attempt=1, left=2, strikes=1))

CASES = [
    Case(0, RUNNING, unchanged, {"state": "pending", "captioned": 2, "left": 2, "strikes": 1}),
    Case(0, RUNNING, tear, {"state": "pending", "captioned": 2, "rows": 2}, name="torn"),
    Case(
        0,
        RUNNING,
        append(caption(2), failure(3)),
        {"state": "done", "captioned": 3, "failed": 1, "strikes": 0},
        name="whole",
    ),
    Case(
        1,
        then(append(caption(0)), saved("pending", strikes=2, not_before=2e6)),
        append(failure(1)),
        {"state": "pending", "captioned": 1, "failed": 1, "strikes": 2, "not_before": 2e6},
    ),
    Case(
        1,
        then(append(caption(0)), saved("pending", strikes=2, not_before=2e6)),
        whole_log,
        {"state": "done", "strikes": 0, "not_before": 0.0},
        name="whole",
    ),
    Case(2, saved("failed"), append(caption(0)), {"state": "failed", "captioned": 1}),
    Case(2, saved("skipped"), whole_log, {"state": "skipped", "captioned": 4}, name="skipped"),
    Case(3, done, unchanged, {"state": "done", "left": 0}),
    Case(3, done, touch, {"state": "done", "left": 0}, name="the same digest"),
    Case(
        4,
        done,
        lambda run: log_of(run).unlink(),
        {"state": "pending", "captioned": 0, "left": 4, "digest": None},
        event="is missing: the shard is captioned again",
    ),
    Case(
        4,
        done,
        cut_last_row,
        {"state": "pending", "captioned": 0, "left": 4, "digest": None},
        event="was damaged and is kept as",
        name="cut",
    ),
    Case(
        4,
        done,
        replace_last_row,
        {"state": "pending", "captioned": 0, "left": 4, "digest": None},
        event="was damaged and is kept as",
        name="whole",
    ),
    Case(
        5,
        done,
        append_another_caption,
        {"state": "done", "captioned": 4, "rows": 4},
        event="something was appended",
    ),
    Case(
        5,
        done_with_failures,
        exclude_and_die,
        {"state": "done", "captioned": 2, "rows": 4, "failed": 2},
        event="an 'exclude' of 2 records was killed before it was saved, and is undone: repeat it",
        name="an exclude was killed",
    ),
    Case(
        7,
        saved("pending", redo="failed", redo_from=999, rows=9),
        append(caption(0)),
        {"state": "pending", "redo_from": len(b'{"i":0,"raw":"A picture of 0. And more.",')},
    ),
    Case(
        1,
        then(done, lambda run: run.change_task(state="pending")),
        unchanged,
        {"state": "done", "captioned": 4, "left": 0},
        name="an import was killed",
    ),
    Case(
        5,
        then(done, lambda run: run.change_task(state="pending", redo="failed")),
        unchanged,
        {"state": "pending", "left": 0},
        name="a retry, whose shard a worker must look at",
    ),
    Case(
        8,
        then(append(caption(0)), imported, saved("pending", left=3)),
        unchanged,
        {"state": "failed", "error_cause": "log_incomplete"},
        event="lacks captions here: import its files again",
    ),
    Case(
        8,
        then(done, imported),
        cut_last_row,
        {"state": "failed", "captioned": 0, "error_cause": "log_incomplete"},
        event="lacks captions here: import its files again",
        name="a damaged log",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.row} {case.name}".strip())
def test_row(case: Case, tmp_path: Path) -> None:
    run = RunInMemory(tmp_path / "project", records=COUNT)
    case.given(run)
    run.state.events.clear()
    case.log(run)
    reconcile.reconcile(run.state)
    fields = {name: getattr(run.task, name) for name in case.task}
    expected = dict(case.task)
    if "redo_from" in expected:
        expected["redo_from"] = log_of(run).stat().st_size
    assert fields == expected
    told = " ".join(run.events)
    assert case.event in told if case.event else not told


def test_a_log_that_is_whole_and_then_is_not_gives_a_strike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row 6: somebody writes to the log between the two times that it is read."""
    run = RunInMemory(tmp_path / "project", records=COUNT)
    then(append(caption(0)), saved("running", attempt=1), append(*map(caption, range(COUNT))))(run)

    def complete_log(*arguments: object) -> None:
        cut_last_row(run)
        whole(*arguments)

    whole: Callable[..., object] = completion.complete_log
    monkeypatch.setattr(reconcile, "complete_log", complete_log)
    reconcile.reconcile(run.state)
    assert (run.task.state, run.task.strikes) == ("pending", 1)
    assert run.task.error_cause == "log_incomplete"
    assert run.task.not_before == run.clock.time() + 30.0


def test_every_row_of_the_page_has_a_case() -> None:
    section = PAGE.read_text().partition("### The start of a run")[2].partition("###")[0]
    rows = re.findall(r"^\| (?!The database has)(.+?) \|", section, flags=re.MULTILINE)
    assert {*range(len(rows))} == {case.row for case in CASES} | {6}
