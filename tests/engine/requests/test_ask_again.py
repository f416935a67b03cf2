"""Captions with a defect are asked for again, and stay until a better one comes."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.project import caption_log
from engine.project.caption_log import CaptionLog
from engine.protocol.caption_row import ASKED_AGAIN, NOT_BETTER, CaptionRow, ErrorRow, RetriedRow
from engine.quality.defects import Defect
from engine.requests.handlers import carry_out
from engine.requests.kinds import AskAgain, Exclude, Retry
from tests.support.small_project import SmallProject, caption, error

LOOP, REFUSAL = Defect.LOOP.value, Defect.REFUSAL.value
SERVED = 4
"""The first task of the model on a server."""


@pytest.fixture
def books(small: SmallProject) -> SmallProject:
    """Task 4 is done with one failed record, task 5 lacks two records, task 6 is done."""
    small.write_log(4, [caption(0), caption(1), caption(2), error(3)])
    small.write_log(5, [caption(0), caption(1)])
    small.write_log(6, [caption(i) for i in range(4)])
    small.take_over_logs()
    return small


def asked(
    *records: tuple[int, list[tuple[int, int]]], bad: tuple[str, ...] = ("loops",), **changes: str
) -> AskAgain:
    return AskAgain(records=records, bad=bad, changes=changes or {"prompt": "What is this?"})


def counts(small: SmallProject) -> dict[int, tuple[str, int, int, int]]:
    tasks = small.state.ledger.tasks
    return {
        n: (tasks[n].state, tasks[n].captioned, tasks[n].failed, tasks[n].left) for n in (4, 5, 6)
    }


BEFORE = {4: ("done", 3, 1, 0), 5: ("pending", 2, 0, 2), 6: ("done", 4, 0, 0)}


@pytest.mark.parametrize(
    ("request_", "answer", "after"),
    [
        (
            asked((4, [(0, LOOP), (2, LOOP)]), (6, [(1, LOOP)])),
            "3 captions of 1 model are asked again",
            {4: ("pending", 3, 1, 2), 6: ("pending", 4, 0, 1)},
        ),
        (
            asked((5, [(1, LOOP)])),
            "1 caption of 1 model is asked again",
            {5: ("pending", 2, 0, 3)},
        ),
        (asked((4, [(3, LOOP), (99, LOOP)])), "nothing to ask again", {}),
        (asked((5, [(2, LOOP)])), "nothing to ask again", {}),
    ],
    ids=["of two shards", "of one that goes on", "no caption", "asked for anyway"],
)
def test_captions_are_asked_for_again(
    books: SmallProject, request_: AskAgain, answer: str, after: dict[int, Any]
) -> None:
    assert carry_out(books.state, request_, None).text == answer
    assert counts(books) == BEFORE | after
    events = [event.text for event in books.state.events]
    assert events == [f"{answer} for loops, with prompt What is this?"] * bool(after)


def test_the_log_says_what_is_asked_and_keeps_what_is_there(books: SmallProject) -> None:
    request = asked((4, [(1, LOOP | REFUSAL)]), bad=("loops", "truncated"), seed="7", prompt="So?")
    carry_out(books.state, request, None)
    contents = caption_log.read(books.log(4), 4)
    assert contents.captions[1] == caption(1)
    (row,) = contents.asked_again.values()
    assert (row.error, row.bad, row.had) == (ASKED_AGAIN, ("loops",), ("loops", "refusals"))
    assert row.changes == {"seed": "7", "prompt": "So?"}
    assert set(contents.errors) == {3}, "to a reader who knows nothing of it, nothing failed"


@pytest.mark.parametrize(
    ("row", "kept"),
    [
        (RetriedRow(1, "A better one.", 4, "stop", {"seed": "7"}), "A better one."),
        (ErrorRow(1, NOT_BETTER, "loops: so so so"), caption(1).raw),
        (ErrorRow(1, "missing", "gone"), caption(1).raw),
    ],
)
def test_any_row_of_the_record_answers_it(
    books: SmallProject, row: CaptionRow | ErrorRow, kept: str
) -> None:
    carry_out(books.state, asked((4, [(1, LOOP)])), None)
    log = CaptionLog(books.log(4), 4)
    assert [i for i in range(4) if log.missing(i)] == [1]
    assert log.append([row]) == 1
    assert (log.left, log.captioned, log.failed) == (0, 3, 1)
    log.close()
    contents = caption_log.read(books.log(4), 4)
    assert contents.captions[1].raw == kept
    assert not contents.asked_again
    if isinstance(row, RetriedRow):
        assert contents.captions[1] == row
    reopened = CaptionLog(books.log(4), 4)
    assert (reopened.left, reopened.captioned, reopened.failed) == (0, 3, 1)
    reopened.close()


def test_a_request_that_was_killed_before_it_was_saved_did_nothing(books: SmallProject) -> None:
    carry_out(books.state, asked((4, [(1, LOOP)])), None)
    books.state = books.load()
    books.take_over_logs()
    assert counts(books) == BEFORE


def test_it_outlives_the_run(books: SmallProject) -> None:
    carry_out(books.state, asked((4, [(1, LOOP)])), None)
    books.save()
    books.take_over_logs()
    assert counts(books)[4] == ("pending", 3, 1, 1)
    carry_out(books.state, Exclude(records=[(4, [3])]), None)
    assert counts(books)[4] == ("pending", 3, 1, 1)
    carry_out(books.state, Retry(tasks=[4], failed_items=True), None)
    assert counts(books)[4][0] == "pending"


def test_a_log_that_cannot_be_written_is_as_it_was(
    books: SmallProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = books.log(4).read_bytes()

    def fail(_: CaptionLog) -> None:
        raise OSError(errno.EIO, "no")

    monkeypatch.setattr(CaptionLog, "sync", fail)
    answer = carry_out(books.state, asked((4, [(1, LOOP)])), None)
    assert "cannot be changed" in answer.text
    assert books.log(4).read_bytes() == before
    assert counts(books) == BEFORE


@pytest.mark.parametrize("state", ["running", "failed", "skipped"])
def test_other_tasks_are_left_as_they_are(books: SmallProject, state: str) -> None:
    books.change_tasks({4: {"state": state}})
    answer = carry_out(books.state, asked((4, [(1, LOOP)])), None)
    assert answer.text == (
        "nothing to ask again; 1 task left as they are (running, failed or skipped)"
    )


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (asked((SERVED, [(0, LOOP)]), seed="7"), "another seed changes nothing: give --prompt"),
        (
            asked((SERVED, [(0, LOOP)]), prompt="Describe in English:"),
            "was asked with these settings before",
        ),
        (asked((SERVED, [(0, LOOP)]), dtype="float16"), "with another dtype"),
        (asked((SERVED, [(0, LOOP)]), temperature="hot"), "temperature must be a number"),
        (asked((1, [(0, LOOP)])), "a record cannot be asked again with another prompt"),
        (asked((99, [(0, LOOP)])), "there is no task 99"),
        (asked((SERVED, [(0, LOOP)]), bad=("ugly",)), "no defect or language is called 'ugly'"),
    ],
)
def test_what_cannot_bring_another_caption_is_refused(
    books: SmallProject, request_: AskAgain, reason: str
) -> None:
    answer = carry_out(books.state, request_, None)
    assert answer.state == "refused"
    assert reason in answer.text
    assert counts(books) == BEFORE
    assert b"asked_again" not in Path(books.log(4)).read_bytes()


def test_a_seed_is_enough_where_captions_are_drawn(books: SmallProject) -> None:
    settings = books.state.models[2].settings | {"temperature": 0.5}
    books.change_models({2: {"settings": settings}})
    request = asked((SERVED, [(0, LOOP)]), seed="7")
    assert carry_out(books.state, request, None).state == "done"


def test_imported_captions_are_not_asked_for(books: SmallProject) -> None:
    books.state.models[2] = replace(books.state.models[2], family="imported")
    answer = carry_out(books.state, asked((SERVED, [(0, LOOP)])), None)
    assert answer.state == "refused" and "imported captions" in answer.text


def waiting(books: SmallProject, task: int) -> dict[int, dict[str, str]]:
    """Return with which changes each record of a task is to be asked again, by its log."""
    rows = caption_log.read(books.log(task), 4).asked_again
    return {i: dict(row.changes) for i, row in rows.items()}


def test_a_second_request_replaces_the_settings_of_what_still_waits(books: SmallProject) -> None:
    carry_out(books.state, asked((4, [(0, LOOP), (2, LOOP)]), prompt="Waht?"), None)
    answer = carry_out(books.state, asked((4, [(1, LOOP), (2, LOOP)]), prompt="What?"), None)
    assert answer.text == (
        "2 captions of 1 model are asked again (1 of them waited to be asked with other settings,"
        " which are replaced)"
    )
    prompts = {0: "Waht?", 1: "What?", 2: "What?"}
    assert waiting(books, 4) == {i: {"prompt": text} for i, text in prompts.items()}
    assert counts(books)[4] == ("pending", 3, 1, 3)
    assert books.state.ledger[4].asked == 3, "the record that waited counts once"
    books.save()
    books.take_over_logs()
    assert counts(books)[4] == ("pending", 3, 1, 3), "the log says the same"


def test_the_same_request_once_more_writes_nothing(books: SmallProject) -> None:
    carry_out(books.state, asked((4, [(0, LOOP)])), None)
    before = books.log(4).read_bytes()
    assert carry_out(books.state, asked((4, [(0, LOOP)])), None).text == "nothing to ask again"
    assert books.log(4).read_bytes() == before
