"""Workers that crash, hang, lie or run out of memory: real processes, a policy in a hurry."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest

from db import progress, run
from db.connect import reading
from engine.policy import Policy
from engine.project import Project
from engine.supervise import supervise
from tests.faults.invariants import check_invariants
from tests.support import cli_ok, make_captions

COUNT = 60
HASTY = Policy(
    tick=0.02,
    commit_every=0.1,
    first_delay=0.05,
    longest_delay=0.2,
    device_rest=0.3,
    row_limit=1.0,
    kill_after=1.0,
    memory_retry=0.05,
    chunk=16,
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    make_captions(folder, COUNT)
    return folder


@pytest.fixture
def project(tmp_path, data):
    path = tmp_path / "run"
    cli_ok("new", path, data / "captions.json", "--model", "dry-run", "--shard-size", 20)
    with closing(sqlite3.connect(path / "project.db")) as connection:
        connection.execute("UPDATE model SET settings = json_set(settings, '$.batch', 8)")
        connection.commit()
    return Project.open(path)


@pytest.fixture
def misbehave(monkeypatch, tmp_path, project):
    def run_with(how: str, devices: str = "cpu", policy: Policy = HASTY) -> bool:
        (tmp_path / "state").mkdir(exist_ok=True)
        monkeypatch.setenv("MISBEHAVIOUR", how)
        monkeypatch.setenv("MISBEHAVIOUR_STATE", str(tmp_path / "state"))
        finished = supervise(project, devices, policy, module="tests.faults.workers")
        check_invariants(project)
        return finished

    return run_with


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("undisturbed")
    cli_ok("new", folder / "run", data / "captions.json", "--model", "dry-run")
    cli_ok("run", folder / "run", "--devices", "cpu")
    cli_ok("export", folder / "run", folder / "out.json")
    return (folder / "out.json").read_bytes()


def exported(project: Project) -> bytes:
    out = project.folder.parent / "out.json"
    cli_ok("export", project.folder, out)
    return out.read_bytes()


def events(project: Project) -> str:
    with reading(project.database) as connection:
        return "\n".join(event.text for event in progress.events(connection, 100))


def sums(project: Project):
    with reading(project.database) as connection:
        return {row.state: row for row in progress.sums(connection)}


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("well", "finished"),
        ("prints", "finished"),
        ("old_attempt", "finished"),
        ("foreign_rows", "finished"),
        ("rubbish", "it wrote not a message"),
        ("nonsense", "it wrote not a message"),
        ("half", "exit code 9"),
        ("hang", "no caption for 1 s"),
        ("no_room_once", "no room for the model"),
    ],
)
@pytest.mark.parametrize("devices", ["cpu", "cpu:3"])
def test_nothing_is_lost_doubled_or_misplaced(project, misbehave, undisturbed, how, said, devices):
    assert misbehave(how, devices)
    assert said in events(project)
    assert exported(project) == undisturbed


def test_what_libraries_print_is_in_the_log(project, misbehave):
    misbehave("prints")
    log = project.worker_log("cpu:0").read_text()
    assert "a library that prints\n" in log
    assert "and one that writes to file descriptor 1\n" in log


def test_out_of_memory_halves_the_batch_and_is_remembered(project, misbehave, undisturbed):
    assert misbehave("out_of_memory")
    assert "out of memory: batch 8 -> 4" in events(project)
    assert "out of memory: batch 4 -> 2" in events(project)
    with reading(project.database) as connection:
        assert run.batch_sizes(connection) == {("cpu:0", 1): 2}
    assert exported(project) == undisturbed


def test_a_record_that_kills_every_worker_is_poison_and_the_rest_is_done(project, misbehave):
    assert misbehave("poison:27")
    done = sums(project)["done"]
    assert (done.tasks, done.captioned, done.failed) == (3, COUNT - 1, 1)
    with reading(project.database) as connection:
        (failure,) = progress.failures(connection)
    assert (failure.kind, failure.count) == ("poison", 1)
    assert failure.examples[0][0] == 7
    images = [record["image"] for record in json.loads(exported(project))]
    assert "images/000027.png" not in images
    assert len(images) == COUNT - 1


def test_a_model_that_cannot_be_loaded_is_blocked_and_the_run_ends(project, misbehave):
    assert misbehave("cannot_load")
    failed = sums(project)["failed"]
    assert failed.tasks == 3
    assert events(project).count("cannot load: weights missing: [bold]x[/x]") == 3
    cli_ok("retry", project.folder)
    assert misbehave("well")
    assert sums(project)["done"].captioned == COUNT


def test_workers_that_die_while_loading_do_not_go_on_for_ever(project, misbehave):
    assert misbehave("dies_loading", "cpu:2")
    assert sums(project)["failed"].tasks == 3


def test_a_task_that_gets_nowhere_fails_after_three_strikes(project, misbehave):
    assert misbehave("always_dies")
    (failed,) = sums(project).values()
    assert (failed.state, failed.tasks, failed.captioned, failed.failed) == ("failed", 3, 0, 0)
    assert "the device rests" in events(project)


def test_a_device_that_always_fails_spoils_nothing_for_the_others(project, misbehave, undisturbed):
    assert misbehave("always_dies_on:cpu:1", "cpu:2")
    assert exported(project) == undisturbed


def test_a_lost_image_root_pauses_and_fails_no_record(project, data, misbehave, undisturbed):
    data.rename(data.with_name("unmounted"))
    try:
        from threading import Timer

        def back() -> None:
            data.with_name("unmounted").rename(data)
            cli_ok("resume", project.folder)

        timer = Timer(3.0, back)
        timer.start()
        assert misbehave("well")
        timer.join()
    finally:
        if not data.exists():
            data.with_name("unmounted").rename(data)
    assert "is the image root mounted?" in events(project)
    assert sums(project)["done"].failed == 0
    assert exported(project) == undisturbed
