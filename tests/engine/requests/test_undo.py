"""Undoing what a person changed: everything is as before, unless a run has gone on with it."""

from __future__ import annotations

from typing import Any

import pytest

from db import requests
from db.connection import reading
from engine.operations import failure_causes, run_control
from engine.operations.undo_last import undo_last
from engine.project.caption_log import CaptionLog
from engine.requests import changes
from engine.requests.kinds import AskAgain, Exclude, Flag, Rate, Request, Retry, Skip, Undo
from engine.state.reconcile import reconcile
from engine.utils.errors import RequestRefused
from tests.support.small_project import SmallProject, caption, error


@pytest.fixture
def books(small: SmallProject) -> SmallProject:
    """Tasks 1 and 2 are done, with failed records, 3 is half done, 4 failed, 5 and 6 are new."""
    for task_id in (1, 2):
        small.write_log(task_id, [caption(0), caption(1), caption(2), error(3)])
    small.write_log(3, [caption(0), error(1)])
    small.take_over_logs()
    crashed = {"state": "failed", "error": "it crashed", "error_cause": "crashed", "strikes": 3}
    small.change_tasks({4: crashed, 5: {"strikes": 1, "not_before": 50.0}})
    small.state.flag([(0, 1)], [])
    small.save()
    return small


def facts(small: SmallProject) -> dict[str, Any]:
    """Return all that requests change, as the database has it, and what the logs hold."""
    small.state = small.load()
    found = small.facts()
    for task in found["tasks"].values():
        del task["log_mtime_ns"]
    logs = {n: small.log(n).read_bytes() for n in range(1, 7) if small.log(n).exists()}
    return found | {"logs": logs}


REQUESTS: dict[str, Request] = {
    "retry of what is done": Retry(tasks=[1, 2]),
    "retry of failed records": Retry(tasks=[1, 3], failed_items=True),
    "retry of all": Retry(tasks=[1, 2, 3, 4, 5, 6]),
    "skip": Skip(tasks=[3, 4, 6]),
    "exclude in tasks": Exclude(records=[(1, None), (2, [3]), (3, None)]),
    "exclude what ends a task": Exclude(records=[(3, [1, 2, 3]), (5, [0, 1, 2, 3])]),
    "flag": Flag(records=[(0, 0), (0, 1)], flagged=None),
    "flag captions": Flag(records=[(0, 0)], flagged=True, model="dry-run", reason="why"),
    "rate": Rate([(0, 0), (2, 1)], "dry-run", True, "fine"),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_all_is_as_before(books: SmallProject, name: str) -> None:
    before = facts(books)
    answer = run_control.send_request(books.project, REQUESTS[name])
    changed = facts(books)
    assert changed != before
    assert undo_last(books.project) == f"undone: {answer.text}"
    assert facts(books) == before
    with pytest.raises(RequestRefused, match="nothing to undo"):
        undo_last(books.project)
    reconcile(books.state)
    books.save()
    assert facts(books)["logs"] == before["logs"], "a run finds nothing amiss"


def test_the_changes_are_undone_from_the_last_one_on(books: SmallProject) -> None:
    before = facts(books)
    run_control.send_request(books.project, Skip(tasks=[3, 6]))
    run_control.send_request(books.project, Skip(tasks=[1]))  # changes nothing
    run_control.send_request(books.project, Skip(tasks=[6], skip=False))
    assert undo_last(books.project) == "undone: no longer skipped: 1 task"
    assert books.load().ledger[6].state == "skipped"
    assert undo_last(books.project) == "undone: skipped: 2 tasks"
    assert facts(books) == before


def test_an_exclusion_of_many_shards_is_undone_as_one(
    books: SmallProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failure_causes, "TASKS_PER_REQUEST", 1)
    before = facts(books)
    failure_causes.exclude_cause(books.project, failure_causes.find_cause(books.project, "missing"))
    assert undo_last(books.project) == "undone: excluded: 1 record of 1 shard; and 2 more"
    assert facts(books) == before


def test_what_a_run_has_gone_on_with_stays(books: SmallProject) -> None:
    run_control.send_request(books.project, Retry(tasks=[1, 2]))
    books.state = books.load()
    books.state.ledger.start(1, "cpu:0", books.clock.time())
    books.save()
    text = undo_last(books.project)
    assert text.endswith("; 1 task left as they are: the run went on with them since")
    states = [books.load().ledger[n].state for n in (1, 2)]
    assert states == ["pending", "done"], "the task of the killed run is pending again"

    run_control.send_request(books.project, Skip(tasks=[3]))
    books.state = books.load()
    books.state.ledger.skip(3, books.clock.time(), skip=False)
    books.save()
    with pytest.raises(RequestRefused, match=r"cannot undo \(skipped: 1 task: .*|went on with it"):
        undo_last(books.project)


@pytest.mark.parametrize("when", ["before the cut", "after the cut"])
def test_a_process_that_is_killed_meanwhile_loses_no_caption(
    books: SmallProject, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    before = facts(books)
    run_control.send_request(books.project, REQUESTS["exclude in tasks"])
    cut = CaptionLog.cut

    def die(log: CaptionLog, size: int) -> None:
        if when == "after the cut":
            cut(log, size)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(CaptionLog, "cut", die)
        undo_last(books.project)
    books.state = books.load()
    reconcile(books.state)
    books.save()
    tasks = books.state.ledger.tasks
    assert [(tasks[n].state, tasks[n].captioned) for n in (1, 2)] == [("done", 3)] * 2
    folder = books.log(1).parent
    assert [path.name for path in folder.iterdir() if "damaged" in path.name] == []
    for n in (1, 2, 3):
        assert books.log(n).read_bytes().startswith(before["logs"][n])


def test_too_much_is_not_kept(books: SmallProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "MAX_KEPT", 1)
    run_control.send_request(books.project, Skip(tasks=[3, 6]))
    with pytest.raises(RequestRefused, match="it changed more than"):
        undo_last(books.project)


@pytest.mark.parametrize(
    "result",
    [
        None,
        {"before": 7},
        {"before": {"tasks": [[1, 2]]}},
        {"before": {"tasks": [[99, 0, "done", 0, 0, "done", "all", 0, 0, 0, 0, None, None, None]]}},
        {
            "before": {
                "tasks": [[5, 0, "pending", 0, 0, "running", "all", 0, 0, 0, 0, None, "", ""]]
            }
        },
    ],
)
def test_what_stands_in_a_received_database_is_not_believed(
    books: SmallProject, result: dict[str, Any] | None
) -> None:
    def write(connection: Any) -> None:
        request_id = requests.add(connection, "skip", {})
        requests.answer(connection, request_id, "done", "skipped", result)

    before = facts(books)
    books.state.writes.append(write)
    books.save()
    with pytest.raises(RequestRefused):
        run_control.send_request(books.project, Undo(request=1))
    with pytest.raises(RequestRefused):
        undo_last(books.project)
    with reading(books.project.database) as connection:
        assert requests.find(connection, 99) is None
    assert facts(books) == before


@pytest.fixture
def captioned(small: SmallProject) -> SmallProject:
    """Task 4 is done, with a failed record, and task 5 half done."""
    small.write_log(4, [caption(0), caption(1), caption(2), error(3)])
    small.write_log(5, [caption(0), caption(1)])
    small.take_over_logs()
    return small


def ask_again(prompt: str, *records: tuple[int, list[tuple[int, int]]]) -> AskAgain:
    return AskAgain(records=records, bad=["loops"], changes={"prompt": prompt})


def test_a_retry_of_captions_with_defects_is_undone(captioned: SmallProject) -> None:
    before = facts(captioned)
    first = ask_again("Waht is this?", (4, [(0, 4), (2, 4)]), (5, [(1, 4)]))
    run_control.send_request(captioned.project, first)
    pending = facts(captioned)
    assert pending["logs"] != before["logs"]
    run_control.send_request(captioned.project, ask_again("What is this?", (4, [(2, 4)])))
    assert undo_last(captioned.project).startswith("undone: 1 caption of 1 model is asked again")
    assert facts(captioned) == pending
    assert undo_last(captioned.project) == "undone: 3 captions of 1 model are asked again"
    assert facts(captioned) == before
    reconcile(captioned.state)
    captioned.save()
    assert facts(captioned)["logs"] == before["logs"], "a run finds nothing amiss"


def test_captions_that_a_run_has_asked_for_again_stay(captioned: SmallProject) -> None:
    run_control.send_request(captioned.project, ask_again("What is this?", (4, [(0, 4)])))
    captioned.state = captioned.load()
    captioned.state.ledger.start(4, "cpu:0", captioned.clock.time())
    captioned.save()
    before = captioned.log(4).read_bytes()
    with pytest.raises(RequestRefused, match="the run went on with it since"):
        undo_last(captioned.project)
    assert captioned.log(4).read_bytes() == before
