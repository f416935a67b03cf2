"""What is delivered, how often, and what is told of a delivery that fails."""

from __future__ import annotations

import json
import time
from pathlib import Path
from threading import Thread

import pytest

from db import notices, progress
from db.connection import reading, writing
from db.rows import NoticeRow, SupervisorRow
from engine.notices import notifier, run_end
from engine.notices.notifier import LOST_SECONDS, deliver, hooks_for
from engine.notices.run_end import death_notice, end_key, remember_run, tell_what_is_due
from engine.process import identity
from engine.project.layout import Project
from engine.project.live_run import find_live_run
from tests.support.small_project import SmallProject
from tests.support.waiting import wait_for

DEAD = SupervisorRow(pid=2**22 + 1, created=5.0, boot_id="b", host="node7", heartbeat=9.0)
"""A supervisor whose process is no more."""


@pytest.fixture
def hook_log(config: Path, tmp_path: Path) -> Path:
    """The file to which the hook `log` adds a line a call; `broken` fails at `paused`."""
    log = tmp_path / "hook.log"
    log.touch()
    config.write_text(
        f"""
        [on_event.log]
        command = ["tee", "-a", {json.dumps(str(log))}]
        [on_event.broken]
        command = ["false"]
        events = ["paused"]
        """
    )
    return log


@pytest.fixture
def no_process(monkeypatch: pytest.MonkeyPatch) -> list[Project]:
    """The projects for which a notifier was to be started; none is."""
    started: list[Project] = []
    for module in (notifier, run_end):
        monkeypatch.setattr(module, "start_notifier", started.append)
    monkeypatch.setattr("engine.state.project_state.start_notifier", started.append)
    return started


def told(log: Path) -> list[str]:
    """Return the events of which the hook was told."""
    return [json.loads(line)["event"] for line in log.read_text().splitlines()]


def states(project: Project) -> dict[str, str | None]:
    """Return the states of the deliveries, by hook, with the detail of those that failed."""
    with reading(project.database) as connection:
        rows = connection.exec_driver_sql("SELECT hook, state, detail FROM delivery")
        return {hook: detail or state for hook, state, detail in rows}


def events(project: Project) -> list[str]:
    with reading(project.database) as connection:
        return [event.text for event in progress.events(connection, 10)]


def test_a_notice_is_saved_with_what_it_is_about_and_delivered_once(
    small: SmallProject, hook_log: Path, no_process: list[Project]
) -> None:
    small.state.pause("disk_full", "the disk is full")
    small.state.pause("disk_full", "the disk is full")  # it is paused already
    assert states(small.project) == {}
    small.state.commit()
    assert states(small.project) == {"log": "waiting", "broken": "waiting"}
    assert no_process == [small.project]
    small.state.commit()
    for _ in range(3):
        deliver(small.project)
    assert told(hook_log) == ["paused"]
    (line,) = hook_log.read_text().splitlines()
    assert json.loads(line)["text"] == "paused: the disk is full"
    assert states(small.project) == {"log": "done", "broken": "exit code 1"}
    assert events(small.project) == ["the hook broken failed for the event 'paused': exit code 1"]


def test_notifiers_beside_each_other_call_a_hook_once(
    small: SmallProject, hook_log: Path, no_process: list[Project]
) -> None:
    for number in range(5):
        small.state.tell("health_alarm", f"alarm {number}")
    small.state.commit()
    threads = [Thread(target=deliver, args=(small.project,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    texts = [json.loads(line)["text"] for line in hook_log.read_text().splitlines()]
    assert sorted(texts) == [f"alarm {number}" for number in range(5)]


def test_no_key_is_told_twice_until_it_is_free(
    small: SmallProject, hook_log: Path, no_process: list[Project]
) -> None:
    for _ in range(2):
        small.state.tell("disk_low", "little room", key="disk_low")
        small.state.commit()
    deliver(small.project)
    assert told(hook_log) == ["disk_low"]
    with writing(small.project.database) as connection:
        notices.free_key(connection, "disk_low")
    small.state.tell("disk_low", "little room", key="disk_low")
    small.state.commit()
    deliver(small.project)
    assert told(hook_log) == ["disk_low", "disk_low"]


def test_what_cannot_be_delivered_is_told(
    small: SmallProject, hook_log: Path, config: Path, no_process: list[Project]
) -> None:
    small.state.tell("finished", "done")
    small.state.commit()
    config.write_text("")
    deliver(small.project)
    assert states(small.project) == {"log": "config.toml has no such hook any more"}
    small.state.tell("finished", "nobody is told any more")
    small.state.commit()
    assert len(states(small.project)) == 1


def test_a_call_whose_notifier_was_killed_is_told_and_not_done_again(
    small: SmallProject, hook_log: Path, no_process: list[Project]
) -> None:
    small.state.tell("finished", "done")
    small.state.commit()
    with writing(small.project.database) as connection:
        (key,) = notices.waiting(connection)
        assert notices.claim(connection, key, time.time() - LOST_SECONDS - 1) is not None
        assert notices.claim(connection, key, time.time()) is None
    deliver(small.project)
    assert told(hook_log) == []
    assert events(small.project) == [
        "the hook log may not have been called: its notifier was killed"
    ]


def test_the_database_holds_the_newest_notices(small: SmallProject, hook_log: Path) -> None:
    with writing(small.project.database) as connection:
        rows = [NoticeRow(created=1.0, kind="paused", text=f"{n}") for n in range(1_005)]
        notices.add(connection, rows, hooks_for)
        kept = notices.after(connection, 0)
        assert [row.text for row in kept] == [str(number) for number in range(5, 1_005)]
        assert len(notices.waiting(connection)) == 2 * len(kept)


# The end of a run that was killed


def kill(small: SmallProject, tasks_left: bool = True) -> None:
    """Make the project one whose supervisor was killed."""
    if not tasks_left:
        small.change_tasks({id: {"state": "skipped"} for id in small.state.ledger.tasks})
    small.state.commit(DEAD)


@pytest.mark.parametrize(("tasks_left", "kind"), [(True, "killed"), (False, "finished")])
def test_the_end_of_a_killed_run_is_told_once_whoever_looks(
    small: SmallProject,
    hook_log: Path,
    no_process: list[Project],
    tasks_left: bool,
    kind: str,
) -> None:
    remember_run(small.project)
    kill(small, tasks_left)
    lookers = [Thread(target=tell_what_is_due, args=(small.project,)) for _ in range(4)]
    for looker in lookers:
        looker.start()
    for looker in lookers:
        looker.join()
    assert no_process
    deliver(small.project)
    tell_what_is_due(small.project)
    deliver(small.project)
    assert told(hook_log) == [kind]


def test_what_came_with_a_received_project_calls_no_hook(
    small: SmallProject, hook_log: Path, no_process: list[Project]
) -> None:
    kill(small)
    small.state.tell("paused", "anything")
    small.state.commit()
    remember_run(small.project)  # the first run of this user
    tell_what_is_due(small.project)
    small.state.notices.append(death_notice(DEAD, 1, None, 1.0))  # as the run itself does
    small.state.tell("finished", "ours")
    small.state.commit()
    deliver(small.project)
    remember_run(small.project)
    assert told(hook_log) == ["finished"]


def test_a_run_that_ended_in_order_was_not_killed(
    small: SmallProject,
    hook_log: Path,
    no_process: list[Project],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It ends between the look at the database and that at the lock."""
    from db import supervisor_writes

    remember_run(small.project)
    kill(small)

    def end_then_look(project: Project, row: SupervisorRow) -> object:
        with writing(project.database) as connection:
            supervisor_writes.forget_supervisor(connection)
        return find_live_run(project, row)

    monkeypatch.setattr(run_end, "find_live_run", end_then_look)
    tell_what_is_due(small.project)
    assert states(small.project) == {}


def test_a_copy_of_a_project_calls_no_hook(
    small: SmallProject, hook_log: Path, tmp_path: Path, no_process: list[Project]
) -> None:
    remember_run(small.project)
    kill(small)
    copy = SmallProject(small.project, tmp_path / "copy")
    tell_what_is_due(copy.project)
    assert states(copy.project) == {}


def test_each_run_has_a_key_of_its_own() -> None:
    pid, created, boot_id = identity.this_process()
    here = SupervisorRow(pid=pid, created=created, boot_id=boot_id, host="h", heartbeat=1.0)
    assert end_key(here) != end_key(DEAD)


def test_a_notifier_that_is_started_delivers(small: SmallProject, hook_log: Path) -> None:
    small.state.tell("model_blocked", "no weights", "llava", "checkpoint")
    small.state.commit()
    wait_for(lambda: states(small.project) == {"log": "done"})
    assert told(hook_log) == ["model_blocked"]
