"""Requests and their answers, with and without a supervisor, by a clock that the test moves."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable

import pytest

from db import requests, supervisor_writes
from db.connection import reading, writing
from db.rows import RequestRow, SupervisorRow
from engine.operations import run_control
from engine.process import identity
from engine.project.lock import ProjectLock
from engine.requests.answers import Answer, ExcludeResult
from engine.requests.handlers import answer_request
from engine.requests.kinds import Exclude, Pause, Request, Retry, Skip
from engine.state.project_state import ProjectState
from engine.utils.errors import BadInput, RequestRefused
from tests.support.run_in_memory import ManualClock
from tests.support.small_project import FakeSupervisor, SmallProject, caption, error


class ActingClock(ManualClock):
    """A clock in whose every sleep something happens."""

    def __init__(self, act: Callable[[int], None]) -> None:
        super().__init__()
        self.act = act
        self.sleeps = 0

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self.sleeps += 1
        self.act(self.sleeps)


def supervise(small: SmallProject, pid: int | None = None) -> None:
    """Have this process, or one that does not exist, be the project's supervisor."""
    own_pid, created, boot_id = identity.this_process()
    row = SupervisorRow(
        pid=own_pid if pid is None else pid,
        created=created,
        boot_id=boot_id,
        host=identity.host_name(),
        heartbeat=0.0,
        devices="cpu:3",
    )
    with writing(small.project.database) as connection:
        supervisor_writes.save_supervisor(connection, row)


def answer_pending(small: SmallProject) -> None:
    """Do what a supervisor does between two turns of its loop."""
    state = small.load()
    with reading(small.project.database) as connection:
        waiting = requests.pending(connection)
    for row in waiting:
        answer_request(state, row, FakeSupervisor(state))
    state.commit()


def rows(small: SmallProject) -> list[RequestRow]:
    """Return the requests in the database; there are three at most in these tests."""
    with reading(small.project.database) as connection:
        count = connection.exec_driver_sql("SELECT count(*) FROM request").scalar_one()
        return [requests.get(connection, number) for number in range(1, count + 1)]


def test_without_a_run_it_is_carried_out_here(small: SmallProject) -> None:
    answer = run_control.send_request(small.project, Skip(tasks=[1]), small.clock)
    assert answer == Answer("skipped: 1 task")
    task = small.load().ledger[1]
    assert (task.state, task.updated) == ("skipped", small.clock.time())
    assert json.loads(small.project.manifest.read_text())["models"]
    (row,) = rows(small)
    assert (row.kind, row.state, row.note) == ("skip", "done", answer.text), "kept to be undone"


def test_without_a_run_a_refusal_is_raised(small: SmallProject) -> None:
    with pytest.raises(RequestRefused, match=r"^tasks: there is no task 9$"):
        run_control.send_request(small.project, Skip(tasks=[1, 9]), small.clock)
    assert small.load().ledger[1].state == "pending"


@pytest.mark.parametrize("live", [True, False])
def test_a_call_that_makes_no_sense_reaches_nobody(small: SmallProject, live: bool) -> None:
    if live:
        supervise(small)
    with pytest.raises(RequestRefused, match=r"invalid request skip: .*tasks\[0\]"):
        run_control.send_request(small.project, Skip(tasks=["1"]), small.clock)  # type: ignore[list-item]
    assert rows(small) == []


def test_a_live_supervisor_answers(small: SmallProject) -> None:
    supervise(small)
    clock = ActingClock(lambda sleeps: answer_pending(small) if sleeps == 3 else None)
    answer = run_control.send_request(small.project, Skip(tasks=[1]), clock)
    assert answer == Answer("skipped: 1 task")
    assert clock.sleeps == 3
    (row,) = rows(small)
    assert (row.kind, row.payload, row.state) == ("skip", {"tasks": [1], "skip": True}, "done")


def test_a_live_supervisor_refuses(small: SmallProject) -> None:
    supervise(small)
    clock = ActingClock(lambda _: answer_pending(small))
    with pytest.raises(RequestRefused, match="there is no task 9"):
        run_control.send_request(small.project, Skip(tasks=[9]), clock)
    assert rows(small)[0].state == "refused"


@pytest.mark.parametrize("live", [True, False])
def test_the_result_of_an_exclusion_is_typed_and_the_text_is_for_people(
    small: SmallProject, live: bool
) -> None:
    small.write_log(1, [caption(0), error(1), error(2)])
    small.take_over_logs()
    if live:
        supervise(small)
    clock = ActingClock(lambda _: answer_pending(small))
    answer = run_control.send_request(small.project, Exclude(records=[(1, None)]), clock)
    assert answer == Answer("excluded: 2 records of 1 shard", ExcludeResult(records=2, shards=1))
    (row,) = rows(small)
    assert row.result is not None
    assert row.result.pop("before")["tasks"]
    values = {"records": 2, "shards": 1, "running": 0, "trouble": ""}
    assert (row.note, row.result) == (answer.text, values)


def test_a_supervisor_that_does_not_answer_is_given_up_on(small: SmallProject) -> None:
    supervise(small)
    began = small.clock.monotonic()
    with pytest.raises(
        RequestRefused, match="no answer for 10 s; the run will still carry the request out"
    ):
        run_control.send_request(small.project, Pause(), small.clock)
    assert small.clock.monotonic() - began == pytest.approx(10, abs=0.2)
    assert [row.state for row in rows(small)] == ["new"]


def test_a_supervisor_that_dies_before_it_answers(small: SmallProject) -> None:
    supervise(small)
    clock = ActingClock(lambda sleeps: supervise(small, 2**22 + 1) if sleeps == 2 else None)
    answer = run_control.send_request(small.project, Skip(tasks=[1]), clock)
    assert answer == Answer("skipped: 1 task")
    assert [(row.state, row.note) for row in rows(small)] == [("done", "skipped: 1 task")]


def test_a_supervisor_that_answers_and_dies(small: SmallProject) -> None:
    def act(_: int) -> None:
        answer_pending(small)
        supervise(small, 2**22 + 1)

    small.change_tasks({1: {"state": "done", "digest": "x", "left": 0, "log_bytes": 9}})
    small.save()
    supervise(small)
    answer = run_control.send_request(small.project, Retry(tasks=[1]), ActingClock(act))
    assert answer == Answer("retry of 1 task")
    assert len(small.load().events) == 0
    with reading(small.project.database) as connection:
        events = connection.exec_driver_sql("SELECT text FROM event").scalars().all()
    assert events == ["retry of 1 task: 00000 dry-run"], "it was carried out once"


def test_what_was_answered_before_the_lock_was_free_is_not_carried_out_again(
    small: SmallProject,
) -> None:
    request = Skip(tasks=[1])
    with writing(small.project.database) as connection:
        number = requests.add(connection, request.kind, {"tasks": [1]})
    answer_pending(small)
    answer = run_control.apply(small.project, request, number, small.clock)
    assert answer == Answer("skipped: 1 task"), "carried out again, there is nothing to skip"


def test_a_lock_that_is_held_for_a_moment_is_waited_for(small: SmallProject) -> None:
    lock = ProjectLock(small.project.lock)
    lock.acquire()
    clock = ActingClock(lambda sleeps: lock.release() if sleeps == 4 else None)
    answer = run_control.send_request(small.project, Pause(), clock)
    assert (answer.text, clock.sleeps) == ("paused", 4)


def test_a_lock_that_stays_held(small: SmallProject) -> None:
    with ProjectLock(small.project.lock), pytest.raises(RequestRefused, match="in use by process"):
        run_control.send_request(small.project, Pause(), small.clock)
    assert not small.load().settings.paused


def test_what_runs_on_another_machine_is_asked_there(small: SmallProject) -> None:
    with ProjectLock(small.project.lock):
        small.project.lock.write_text(json.dumps({"host": "far", "pid": 7, "boot_id": "another"}))
        text = "in use elsewhere, by process 7 on far: give this command there"
        with pytest.raises(RequestRefused, match=text):
            run_control.send_request(small.project, Pause(), small.clock)
    assert rows(small) == []
    assert not small.load().settings.paused


@pytest.mark.parametrize("in_database", [True, False])
def test_after_a_kill_what_was_running_can_be_excluded_and_retried(
    small: SmallProject, in_database: bool
) -> None:
    """The tracker says `running`, the lock is free; the supervisor's row may still be there."""
    small.write_log(1, [caption(0), error(1)])
    small.change_tasks({1: {"state": "running", "attempt": 1}, 2: {"state": "running"}})
    small.save()
    if in_database:
        supervise(small, 2**22 + 1)
    answer = run_control.send_request(small.project, Exclude(records=[(1, None)]), small.clock)
    assert answer.text == "excluded: 1 record of 1 shard"
    task = small.load().ledger[1]
    assert (task.state, task.captioned, task.failed) == ("pending", 1, 1)
    answer = run_control.send_request(small.project, Retry(tasks=[2]), small.clock)
    assert answer.text == "retry of 1 task"


def test_a_log_that_cannot_be_read_holds_up_no_other_request(small: SmallProject) -> None:
    small.change_tasks({1: {"state": "running", "attempt": 1}})
    small.save()
    small.log(1).mkdir(parents=True)
    assert run_control.send_request(small.project, Pause(), small.clock).text == "paused"
    assert small.load().ledger[1].state == "pending"


@pytest.mark.parametrize("request_", [Pause(), Skip(tasks=[1])])
def test_a_project_that_cannot_be_written(
    small: SmallProject, monkeypatch: pytest.MonkeyPatch, request_: Request
) -> None:
    def fail(_: ProjectState) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(ProjectState, "commit", fail)
    with pytest.raises(RequestRefused, match=r"the project cannot be written: .*Read-only"):
        run_control.send_request(small.project, request_, small.clock)


# Starting a run


class FakeProcess:
    """A supervisor that ends with `code` after some looks at it; None: it never ends."""

    pid = 4711

    def __init__(self, code: int | None, looks: int = 3) -> None:
        self.code = code
        self.looks = looks

    def poll(self) -> int | None:
        self.looks -= 1
        return self.code if self.looks <= 0 else None


def spawns(monkeypatch: pytest.MonkeyPatch, process: FakeProcess) -> list[str]:
    """Have this process be started; return the list of the devices it is started on."""
    started: list[str] = []

    def spawn(_: object, devices: str, health_stop: bool | None) -> FakeProcess:
        started.append(devices)
        return process

    monkeypatch.setattr(run_control, "spawn", spawn)
    return started


def test_start_waits_until_the_supervisor_is_up(
    small: SmallProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = spawns(monkeypatch, FakeProcess(None))
    clock = ActingClock(lambda sleeps: supervise(small) if sleeps == 5 else None)
    row = run_control.start(small.project, "cpu:2", clock)
    assert (row.pid, clock.sleeps, started) == (identity.this_process()[0], 5, ["cpu:2"])
    assert run_control.start(small.project, "cpu:2", clock) == row
    assert started == ["cpu:2"], "what runs already is not started again"
    assert run_control.last_devices(small.project) == "cpu:3"
    with pytest.raises(RequestRefused, match="'stop' it, then shear"):
        run_control.refuse_while_running(small.project, "shear")


def test_start_with_nothing_to_do(small: SmallProject, monkeypatch: pytest.MonkeyPatch) -> None:
    spawns(monkeypatch, FakeProcess(0))
    row = run_control.start(small.project, "cpu", small.clock)
    assert (row.pid, row.devices, row.heartbeat) == (4711, "cpu", small.clock.time())


@pytest.mark.parametrize(
    ("code", "log", "text"),
    [
        (2, "one\nno room [/x]\n", r"did not start: no room \[/x\]$"),
        (2, "", "did not start: see .*supervisor.log"),
        (None, "", "did not start within 30 s"),
    ],
)
def test_start_that_fails(
    small: SmallProject,
    monkeypatch: pytest.MonkeyPatch,
    code: int | None,
    log: str,
    text: str,
) -> None:
    spawns(monkeypatch, FakeProcess(code))
    small.project.logs.mkdir()
    small.project.supervisor_log.write_text(log)
    with pytest.raises(BadInput, match=text):
        run_control.start(small.project, "cpu", small.clock)


def test_start_on_devices_that_make_no_sense(small: SmallProject) -> None:
    with pytest.raises(BadInput):
        run_control.start(small.project, "tpu", small.clock)


def test_a_run_in_a_folder_that_cannot_be_written(
    small: SmallProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(run_control, "make_folder", refuse)
    with pytest.raises(BadInput, match=r"cannot start a run in .*Read-only"):
        run_control.spawn(small.project, "cpu")
    assert run_control.last_devices(small.project) == "auto"


@pytest.mark.parametrize(
    ("devices", "boot_id", "trusted"),
    [
        ("ray:10.0.0.1:6379", "", False),
        ("ray:10.0.0.1:6379,cpu:2,ship-images", "another", False),
        ("ray:10.0.0.1:6379", identity.boot_id(), True),
        ("ray:auto", "another", True),
        ("cpu:2", "another", True),
    ],
)
def test_a_cluster_that_only_the_tracker_names_is_not_trusted(
    small: SmallProject, devices: str, boot_id: str, trusted: bool
) -> None:
    row = SupervisorRow(
        pid=0, created=0.0, boot_id=boot_id, host="host", heartbeat=0.0, devices=devices
    )
    with writing(small.project.database) as connection:
        supervisor_writes.save_supervisor(connection, row)
    if trusted:
        assert run_control.last_devices(small.project) == devices
    else:
        with pytest.raises(BadInput, match=r"name it with --cluster 10.0.0.1:6379"):
            run_control.last_devices(small.project)
