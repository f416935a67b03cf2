"""The request of whoever found damage: what is compared, and what becomes of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.project.caption_log import file_digest
from engine.project.sheared_file import read_sheared, sheared_path
from engine.requests import recheck as recheck_module
from engine.requests.handlers import carry_out
from engine.requests.kinds import Exclude, Recheck, Retry
from engine.state.project_state import ProjectState
from engine.utils import jsonlines
from tests.support.small_project import RECORDS, SmallProject, caption, error, facts


@pytest.fixture
def done(small: SmallProject) -> SmallProject:
    """The small project with tasks 1 and 4, which are of shard 0, done."""
    small.project.shards.mkdir()
    lines = [jsonlines.dumps({"image": f"{i}.jpg"}) + b"\n" for i in range(RECORDS)]
    small.project.shard_file(0).write_bytes(b"".join(lines))
    for task in (1, 4):
        small.write_log(task, [caption(0), caption(1), error(2), caption(3)])
    small.take_over_logs()
    put_back_shard(small.state)
    return small


def put_back_shard(state: ProjectState) -> None:
    """Have the tracker know the shard file as it is now."""
    digest = file_digest(state.project.shard_file(0))
    state.shards[0] = replace(state.shards[0], digest=digest)


def recheck(small: SmallProject, *tasks: int) -> str:
    answer = carry_out(small.state, Recheck(tasks=tasks), None)
    assert answer.state == "done", answer.text
    return answer.text


def edit_log(small: SmallProject, task: int = 1) -> None:
    """Change a caption; size and time of the file stay as far as the tracker can tell."""
    log = small.log(task)
    log.write_bytes(log.read_bytes().replace(b"picture of 3", b"puzzles of 3"))
    mtime_ns = log.stat().st_mtime_ns
    small.change_tasks({task: {"log_mtime_ns": mtime_ns}})


def test_what_is_sound_stays(done: SmallProject) -> None:
    before = facts(done.state)
    assert recheck(done, 1, 4) == "nothing is damaged"
    assert facts(done.state) == before
    assert not done.state.events


def test_a_damaged_log_is_set_aside_and_its_task_begins_anew(done: SmallProject) -> None:
    edit_log(done)
    assert recheck(done, 1, 4) == "damaged: 1 task"
    task = done.state.ledger[1]
    assert (task.state, task.left, task.captioned, task.digest) == ("pending", RECORDS, 0, None)
    assert not done.log(1).exists()
    (kept,) = done.log(1).parent.glob("00000.jsonl.damaged-*")
    assert b"puzzles" in kept.read_bytes()
    assert done.state.failures[1] == ()
    assert done.state.ledger[4].state == "done"
    assert [event.text for event in done.state.events] == [
        "the caption log of a finished shard was damaged and is kept as"
        f" {kept.name}: the shard is captioned again"
    ]


def test_a_log_that_is_damaged_while_it_is_looked_at_is_set_aside_too(
    done: SmallProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damage(*_: object) -> None:
        done.log(1).write_bytes(done.log(1).read_bytes()[:-10])

    monkeypatch.setattr(recheck_module, "read_sheared", damage)
    assert recheck(done, 1) == "damaged: 1 task"
    task = done.state.ledger[1]
    assert (task.state, task.left, task.digest) == ("pending", RECORDS, None)


def test_two_damaged_logs_of_one_second_are_both_kept(done: SmallProject) -> None:
    for kept in (1, 2):
        edit_log(done)
        recheck(done, 1)
        assert len(list(done.log(1).parent.glob("00000.jsonl.damaged-*"))) == kept
        done.write_log(1, [caption(0), caption(1), error(2), caption(3)])
        done.take_over_logs()
        put_back_shard(done.state)


def test_what_was_appended_is_cut_off_and_kept(done: SmallProject) -> None:
    whole = done.log(1).read_bytes()
    done.log(1).write_bytes(whole + whole.replace(b"picture", b"puzzles"))
    assert recheck(done, 1) == "damaged: 1 task"
    assert done.log(1).read_bytes() == whole
    assert done.state.ledger[1].state == "done"
    (kept,) = done.log(1).parent.glob("00000.jsonl.damaged-*")
    assert b"puzzles" in kept.read_bytes()
    assert recheck(done, 1) == "nothing is damaged"


@pytest.mark.parametrize("failed_items", [True, False])
def test_the_log_of_a_retried_task_is_compared(done: SmallProject, failed_items: bool) -> None:
    edit_log(done)
    carry_out(done.state, Retry(tasks=[1], failed_items=failed_items), None)
    assert recheck(done, 1) == "damaged: 1 task"
    task = done.state.ledger[1]
    assert (task.redo, task.redo_from, task.left) == ("all", 0, RECORDS)


@pytest.mark.parametrize("saved", [True, False])
def test_excluded_records_stay_excluded(done: SmallProject, saved: bool) -> None:
    carry_out(done.state, Exclude(records=[(1, [2])]), None)
    if saved:
        done.save()
        put_back_shard(done.state)
    edit_log(done)
    recheck(done, 1)
    task = done.state.ledger[1]
    assert (task.state, task.left, task.failed) == ("pending", RECORDS - 1, 1)
    assert [row.kind for row in done.state.failures[1]] == ["excluded"]


def test_excluding_records_does_not_hide_damage(done: SmallProject) -> None:
    edit_log(done)
    carry_out(done.state, Exclude(records=[(1, [2])]), None)
    task = done.state.ledger[1]
    assert (task.state, task.left, task.failed) == ("pending", RECORDS - 1, 1)
    assert b"puzzles" not in done.log(1).read_bytes()


def test_a_damaged_sheared_file_is_made_again(done: SmallProject) -> None:
    path = sheared_path(done.log(1), done.state.shearing, done.state.ledger[1].digest or "")
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"picture of 3", b"puzzles of 3"))
    assert read_sheared(path, RECORDS) is None
    assert recheck(done, 1) == "damaged: 1 task"
    assert path.read_bytes() == whole
    path.unlink()
    assert recheck(done, 1) == "nothing is damaged", "the next export makes it"


def test_a_damaged_shard_fails_its_tasks(done: SmallProject) -> None:
    done.change_tasks({4: {"state": "skipped"}})
    shard = done.project.shard_file(0)
    shard.write_bytes(shard.read_bytes().replace(b"3.jpg", b"4.jpg"))
    assert recheck(done, 1, 4) == "damaged: 2 tasks"
    task = done.state.ledger[1]
    assert (task.state, task.error_cause) == ("failed", "shard_changed")
    assert done.state.ledger[4].state == "skipped"


def test_a_running_task_is_left_alone(done: SmallProject) -> None:
    edit_log(done)
    done.change_tasks({1: {"state": "running"}})
    assert recheck(done, 1) == "nothing is damaged"
    assert done.log(1).exists()


def test_what_cannot_be_read_is_refused(done: SmallProject) -> None:
    done.log(1).unlink()
    done.log(1).mkdir()
    answer = carry_out(done.state, Recheck(tasks=[1]), None)
    assert answer.state == "refused"
    assert answer.text.startswith("the damage cannot be repaired: ")
