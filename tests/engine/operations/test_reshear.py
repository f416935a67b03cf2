"""Shearing a project again: what is written, removed and counted."""

from __future__ import annotations

import pytest

from engine.operations.reshear import ReshearResult, reshear
from engine.operations.reshear_job import ReshearJob, ShearedLog, shear_log
from engine.project.lock import ProjectLock
from engine.project.sheared_file import sheared_path
from engine.protocol.caption_row import CaptionRow, ErrorRow
from engine.shearing.shear import Shearing
from engine.utils import jsonlines
from engine.utils.errors import BadInput, RequestRefused
from tests.support.small_project import RECORDS, SmallProject, caption, error

SENTENCE = Shearing("sentence", 5)


@pytest.fixture
def done(small: SmallProject) -> SmallProject:
    """The small project with task 1 done: three captions, one of which shears to nothing."""
    rows: list[CaptionRow | ErrorRow] = [
        caption(0),
        error(1),
        CaptionRow(2, " . x", 1, "stop"),
        caption(3),
    ]
    small.write_log(1, rows)
    small.take_over_logs()
    return small


def job_of(small: SmallProject) -> ReshearJob:
    task = small.state.ledger[1]
    return ReshearJob(
        task_id=1,
        log=small.log(1),
        digest=task.digest or "",
        rows=task.rows,
        records=RECORDS,
        family="dry-run",
        shearing=SENTENCE,
    )


def test_finished_tasks_are_sheared_and_the_project_keeps_the_shearing(done: SmallProject) -> None:
    digest = done.state.ledger[1].digest or ""
    old = sheared_path(done.log(1), Shearing(), digest)
    assert old.exists()
    progress: list[tuple[int, int]] = []
    result = reshear(done.project, SENTENCE, lambda *tasks: progress.append(tasks))
    assert result == ReshearResult(tasks=1, captions=3, empty=0)
    assert progress == [(1, 1)]
    new = sheared_path(done.log(1), SENTENCE, digest)
    assert jsonlines.loads_lines(new.read_bytes())[:-1] == [
        "A picture of 0.",
        None,
        ".",
        "A picture of 3.",
    ]
    assert not old.exists()
    state = done.load()
    assert state.shearing == SENTENCE
    assert state.ledger[1].empty == 0
    assert done.project.manifest.exists()
    # Shearing captions nothing: the task keeps its times.
    times = [(it.ledger[1].updated, it.ledger[1].finished) for it in (done.state, state)]
    assert times[0] == times[1]


def test_rows_that_replace_others_are_sheared_the_same_by_both_readers(done: SmallProject) -> None:
    fast = shear_log(job_of(done))
    lines = sheared_path(done.log(1), SENTENCE, job_of(done).digest).read_bytes()
    slow = shear_log(job_of(done)._replace(rows=99))
    assert fast == slow == ShearedLog(task_id=1, captions=3, empty=0)
    assert sheared_path(done.log(1), SENTENCE, job_of(done).digest).read_bytes() == lines


@pytest.mark.parametrize(
    ("remove", "message"),
    [(False, "was changed after its task was done"), (True, "is missing, but its task is done")],
)
def test_a_log_that_is_not_what_was_read_back(
    done: SmallProject, remove: bool, message: str
) -> None:
    job = job_of(done)
    if remove:
        done.log(1).unlink()
    else:
        done.write_log(1, [caption(0)])
    with pytest.raises(BadInput, match=message):
        reshear(done.project, SENTENCE)
    assert done.load().shearing == Shearing(), "the project keeps its shearing"
    assert not sheared_path(job.log, SENTENCE, job.digest).exists()


def test_not_while_the_project_runs(done: SmallProject) -> None:
    with ProjectLock(done.project.lock), pytest.raises(RequestRefused, match="'stop' it, shear"):
        reshear(done.project, SENTENCE)


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (ReshearResult(1, 1, 0), "1 caption of 1 task sheared in mode paper"),
        (
            ReshearResult(2, 3000, 1500),
            "3,000 captions of 2 tasks sheared in mode paper, 1,500 of them to nothing",
        ),
    ],
)
def test_the_result_in_words(result: ReshearResult, text: str) -> None:
    assert result.summary("paper") == text
