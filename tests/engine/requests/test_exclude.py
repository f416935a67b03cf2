"""Excluded records are not captioned again, not missing, and taken back in on demand."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from db import failures
from db.connection import reading
from engine.requests.answers import ExcludeResult
from engine.requests.handlers import carry_out
from engine.requests.kinds import Exclude, Retry
from engine.utils import plain_files
from tests.support.small_project import FakeSupervisor, SmallProject, caption, error


@pytest.fixture
def books(small: SmallProject) -> SmallProject:
    """Task 1 is done with two failed records, task 2 lacks two records, task 3 is done."""
    small.write_log(1, [caption(0), caption(1), error(2, "missing"), error(3, "corrupt")])
    small.write_log(2, [caption(0), error(1, "missing")])
    small.write_log(3, [caption(i) for i in range(4)])
    small.take_over_logs()
    return small


def counts(small: SmallProject) -> dict[int, tuple[str, int, int, int]]:
    """Return (state, captioned, failed, left) of tasks 1 to 3."""
    tasks = small.state.ledger.tasks
    return {
        n: (tasks[n].state, tasks[n].captioned, tasks[n].failed, tasks[n].left) for n in (1, 2, 3)
    }


def causes(small: SmallProject) -> dict[str, int]:
    """Return how many records failed for each cause, as the screens read it after a commit."""
    small.save()
    with reading(small.project.database) as connection:
        return {cause.kind: cause.count for cause in failures.causes(connection)}


BEFORE = {1: ("done", 2, 2, 0), 2: ("pending", 1, 1, 2), 3: ("done", 4, 0, 0)}
CAUSES_BEFORE = {"missing": 2, "corrupt": 1}


@pytest.mark.parametrize(
    ("request_", "result", "after", "causes_after"),
    [
        pytest.param(
            Exclude(records=[(1, None), (2, None)], failed_as="missing"),
            ExcludeResult(records=2, shards=2),
            {},
            {"excluded": 2, "corrupt": 1},
            id="of one kind",
        ),
        pytest.param(
            Exclude(records=[(1, None), (3, None)]),
            ExcludeResult(records=2, shards=1),
            {},
            {"excluded": 2, "missing": 1},
            id="of any kind",
        ),
        pytest.param(
            Exclude(records=[(1, [2])]),
            ExcludeResult(records=1, shards=1),
            {},
            {"excluded": 1, "missing": 1, "corrupt": 1},
            id="a named one",
        ),
        pytest.param(
            Exclude(records=[(2, [2])]),
            ExcludeResult(records=1, shards=1),
            {2: ("pending", 1, 2, 1)},
            {"excluded": 1} | CAUSES_BEFORE,
            id="one that was not captioned yet",
        ),
        pytest.param(
            Exclude(records=[(2, [2, 3])]),
            ExcludeResult(records=2, shards=1),
            {2: ("done", 1, 3, 0)},
            {"excluded": 2} | CAUSES_BEFORE,
            id="the last ones complete the task",
        ),
        pytest.param(
            Exclude(records=[(3, [0]), (1, [99])]),
            ExcludeResult(),
            {},
            CAUSES_BEFORE,
            id="with a caption, or beyond the shard",
        ),
        pytest.param(
            Exclude(records=[(1, None)], failed_as="poison"),
            ExcludeResult(),
            {},
            CAUSES_BEFORE,
            id="of a kind that did not occur",
        ),
        pytest.param(
            Exclude(records=[(1, [2])], exclude=False),
            ExcludeResult(),
            {},
            CAUSES_BEFORE,
            id="taken back though not excluded",
        ),
    ],
)
def test_exclude(
    books: SmallProject,
    request_: Exclude,
    result: ExcludeResult,
    after: dict[int, Any],
    causes_after: dict[str, int],
) -> None:
    answer = carry_out(books.state, request_, None)
    assert answer.result == result
    assert answer.text == result.summary(request_.exclude)
    assert [event.text for event in books.state.events] == [answer.text] * bool(result.records)
    assert counts(books) == BEFORE | after
    assert causes(books) == causes_after


def test_taken_back_in_and_asked_for_again(books: SmallProject) -> None:
    carry_out(books.state, Exclude(records=[(1, None)]), None)
    nothing = carry_out(books.state, Retry(tasks=[1], failed_items=True), None)
    assert nothing.text.startswith("nothing to retry")
    carry_out(books.state, Retry(tasks=[1]), None)
    assert counts(books)[1] == ("pending", 2, 2, 2), "a whole shard again leaves them out too"
    answer = carry_out(books.state, Exclude(records=[(1, [2])], exclude=False), None)
    assert answer.text == "included again: 1 record of 1 shard"
    assert causes(books) == {"missing": 1, "readmitted": 1, "excluded": 1}


def test_a_skipped_task_stays_skipped(books: SmallProject) -> None:
    books.change_tasks({2: {"state": "skipped"}})
    carry_out(books.state, Exclude(records=[(2, [2, 3])]), None)
    assert counts(books)[2] == ("skipped", 1, 3, 0)


def test_named_records_of_a_running_task(books: SmallProject) -> None:
    books.change_tasks({2: {"state": "running", "started": 1.0, "attempt": 1}})
    supervisor = FakeSupervisor(books.state)
    answer = carry_out(books.state, Exclude(records=[(2, [2]), (1, [2])]), supervisor)
    assert answer.result == ExcludeResult(records=2, shards=2)
    assert supervisor.told == [("cancel_task", 2)]
    assert counts(books)[2] == ("pending", 1, 2, 1)


@pytest.mark.parametrize("live", [True, False], ids=["live", "offline"])
def test_all_records_of_a_running_task(books: SmallProject, live: bool) -> None:
    books.change_tasks({2: {"state": "running", "started": 1.0, "attempt": 1}})
    supervisor = FakeSupervisor(books.state) if live else None
    answer = carry_out(books.state, Exclude(records=[(2, None), (1, None)]), supervisor)
    assert answer.result == ExcludeResult(records=2, shards=1, running=1)
    assert answer.text == (
        "excluded: 2 records of 1 shard; still running, ask again later: 1 shard"
    )
    assert counts(books)[2] == ("running", 1, 1, 2)
    assert supervisor is None or supervisor.told == []


@pytest.mark.parametrize(
    ("records", "text"),
    [
        ([(1, [2]), (9, [0])], "tasks: there is no task 9"),
        ([(1, [2]), (1, [3])], "records: a task is named twice"),
    ],
)
def test_refused(books: SmallProject, records: Any, text: str) -> None:
    before = books.facts(), books.log(1).read_bytes()
    answer = carry_out(books.state, Exclude(records=records), FakeSupervisor(books.state))
    assert (answer.text, answer.state) == (text, "refused")
    assert (books.facts(), books.log(1).read_bytes()) == before


# Failing files


def failing(code: int) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    return fail


def short_write(file: int, data: bytes) -> int:
    return os.pwrite(file, data[:9], os.lseek(file, 0, os.SEEK_END))


LOG = "engine.project.caption_log"
SHEARED = "engine.state.completion.replace_sheared"
FULL = "the disk is full"
NO_SPACE = failing(errno.ENOSPC)
BAD_DISK = failing(errno.EIO)
NOT_ALLOWED = failing(errno.EACCES)
CANNOT = "the captions of shard 00000 cannot be changed: [Errno"


@pytest.mark.parametrize(
    ("function", "fault", "trouble"),
    [
        pytest.param(f"{LOG}.read", NOT_ALLOWED, f"{CANNOT} 13] Permission denied", id="read"),
        pytest.param(f"{LOG}.os.write", BAD_DISK, f"{CANNOT} 5] Input/output error", id="write"),
        pytest.param(f"{LOG}.os.write", NO_SPACE, FULL, id="full"),
        pytest.param(f"{LOG}.os.write", short_write, FULL, id="short write"),
        pytest.param(f"{LOG}.os.fsync", BAD_DISK, f"{CANNOT} 5] Input/output error", id="sync"),
        pytest.param(SHEARED, NO_SPACE, FULL, id="no space for the sheared file"),
        pytest.param(SHEARED, BAD_DISK, f"{CANNOT} 5] Input/output error", id="sheared file"),
    ],
)
@pytest.mark.parametrize("live", [True, False], ids=["live", "offline"])
def test_a_failing_file_is_reported_and_nothing_is_believed(
    books: SmallProject,
    monkeypatch: pytest.MonkeyPatch,
    function: str,
    fault: Callable[..., Any],
    trouble: str,
    live: bool,
) -> None:
    supervisor = FakeSupervisor(books.state) if live else None
    request = Exclude(records=[(1, [2]), (2, [1])])
    before = books.facts(), books.log(1).read_bytes(), books.log(2).read_bytes()
    with monkeypatch.context() as faulty:
        faulty.setattr(function, fault)
        answer = carry_out(books.state, request, supervisor)
    assert (answer.state, answer.result) == ("done", ExcludeResult(trouble=trouble))
    assert answer.text == f"nothing to exclude; {trouble}"
    assert (books.facts(), books.log(1).read_bytes(), books.log(2).read_bytes()) == before
    assert books.state.events == []
    assert causes(books) == CAUSES_BEFORE
    answer = carry_out(books.state, request, supervisor)
    assert answer.result == ExcludeResult(records=2, shards=2)


def test_rows_that_may_be_lost_in_a_power_cut_do_not_count(
    books: SmallProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The task stays pending, so that no sheared file is synced either."""
    before = books.facts(), books.log(2).read_bytes()
    monkeypatch.setattr(f"{LOG}.os.fsync", BAD_DISK)
    answer = carry_out(books.state, Exclude(records=[(2, [1])]), None)
    assert "shard 00001 cannot be changed: [Errno 5]" in answer.text
    assert (books.facts(), books.log(2).read_bytes()) == before


def test_what_was_done_before_a_failing_file_counts(
    books: SmallProject, monkeypatch: pytest.MonkeyPatch
) -> None:

    def read_all_but_one(path: Path) -> bytes:
        if path == books.log(2):
            raise OSError(errno.EIO, "Input/output error")
        return plain_files.read_bytes(path)

    monkeypatch.setattr("engine.project.caption_log.read_bytes", read_all_but_one)
    answer = carry_out(books.state, Exclude(records=[(1, None), (2, None), (3, [1])]), None)
    trouble = "the captions of shard 00001 cannot be changed: [Errno 5] Input/output error"
    assert answer.result == ExcludeResult(records=2, shards=1, trouble=trouble)
    assert answer.text == f"excluded: 2 records of 1 shard; {trouble}"
    assert causes(books) == {"excluded": 2, "missing": 1}
