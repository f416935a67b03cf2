"""What verifying a project reads, finds and tells, without a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from db.rows import ModelRow, TaskRow
from engine.operations import run_control
from engine.operations.verify import SETTLE_SECONDS, manifest_damage, verify
from engine.operations.verify_job import VerifyJob, verify_shard
from engine.project import manifest
from engine.project.caption_log import file_digest
from engine.project.sheared_file import sheared_path
from engine.shearing.shear import Shearing
from engine.utils import jsonlines
from engine.utils.errors import BadInput
from tests.support.run_in_memory import ManualClock
from tests.support.small_project import RECORDS, SmallProject, caption, error


@pytest.fixture
def done(small: SmallProject) -> SmallProject:
    """The small project with its manifest, a shard file, and task 1 done."""
    small.project.shards.mkdir()
    lines = [jsonlines.dumps({"image": f"{i}.jpg"}) + b"\n" for i in range(RECORDS)]
    small.project.shard_file(0).write_bytes(b"".join(lines))
    small.write_log(1, [caption(0), caption(1), error(2), caption(3)])
    small.take_over_logs()
    state = small.state
    manifest.save(
        small.project, state.settings, list(state.models.values()), list(state.shards.values())
    )
    return small


def job(small: SmallProject, task: TaskRow | None = None) -> VerifyJob:
    """Return the job of shard 0, of which task 1 is verified."""
    shard = small.state.shards[0]
    shard = replace(shard, digest=file_digest(small.project.shard_file(0)))
    model: ModelRow = small.state.models[1]
    tasks = [(task or small.state.ledger[1], model)]
    return VerifyJob(small.project, shard, tasks, small.state.shearing)


def found(small: SmallProject, task: TaskRow | None = None) -> list[str]:
    """Return what is found in shard 0, without the folders of the paths."""
    damage = verify_shard(job(small, task)).damage
    return [f"{each.path.name.partition('.')[0]} {each.text}" for each in damage]


def test_what_is_sound(done: SmallProject) -> None:
    verified = verify_shard(job(done))
    assert not verified.damage
    assert verified.files == 3
    assert verified.bytes == sum(
        path.stat().st_size for path in (done.project.shard_file(0), *done.log(1).parent.iterdir())
    )


def append(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (append, "00000 was changed after its task was done"),
        (Path.unlink, "00000 is missing, but its task is done"),
        (lambda log: log.write_bytes(b""), "00000 was changed after its task was done"),
    ],
)
def test_a_finished_log(done: SmallProject, damage: Callable[[Path], object], text: str) -> None:
    damage(done.log(1))
    assert found(done) == [text]


def test_a_running_task_is_passed_over(done: SmallProject) -> None:
    append(done.log(1))
    assert found(done, replace(done.state.ledger[1], state="running", digest=None)) == []


def test_the_log_of_a_retried_task_may_have_grown(done: SmallProject) -> None:
    task = replace(done.state.ledger[1], state="pending")
    append(done.log(1))
    assert found(done, task) == []
    done.log(1).write_bytes(done.log(1).read_bytes().replace(b"of 3", b"of 4"))
    assert found(done, task) == ["00000 was changed after its task was done"]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b'{"i":0,"error":"missing","detail":""}\n', None),
        (b'{"i":0,"error":"missing","detail":""}\n{"i":1,"ra', None),
        (b'{"i":0,"error":"missing","detail":""}\nwhat is this\n{"i":9}\n', "2 lines that are no"),
        (b"", "has 0 bytes, but had 30"),
        (None, "has 0 bytes, but had 30"),
    ],
)
def test_a_log_that_is_not_finished(
    done: SmallProject, data: bytes | None, text: str | None
) -> None:
    task = replace(done.state.ledger[1], state="pending", digest=None, log_bytes=30)
    if data is None:
        done.log(1).unlink()
    else:
        done.log(1).write_bytes(data)
    texts = found(done, task)
    assert len(texts) == (text is not None)
    assert text is None or text in texts[0]


def test_a_sheared_file_without_a_digest_is_compared_with_its_log(done: SmallProject) -> None:
    path = sheared_path(done.log(1), Shearing(), done.state.ledger[1].digest or "")
    lines = path.read_bytes().splitlines(keepends=True)[:-1]
    path.write_bytes(b"".join(lines))
    assert found(done) == []
    path.write_bytes(b"".join(reversed(lines)))
    assert found(done) == ["00000 does not hold the sheared captions"]


def test_a_file_that_cannot_be_read_is_named(done: SmallProject) -> None:
    done.log(1).unlink()
    done.log(1).mkdir()
    (text,) = found(done, replace(done.state.ledger[1], state="pending", digest=None))
    assert text.startswith("00000 cannot be read: ")


def test_the_manifest(done: SmallProject) -> None:
    assert manifest_damage(done.project) == []
    data = done.project.manifest.read_bytes()
    done.project.manifest.write_bytes(data.replace(b'"dry-run"', b'"dry-ran"', 1))
    assert len(manifest_damage(done.project)) == 1
    done.project.manifest.unlink()
    (damage,) = manifest_damage(done.project)
    assert damage.text == "cannot be read"


def test_the_tracker_is_told_unless_nothing_may_change(done: SmallProject) -> None:
    append(done.log(1))
    looked = verify(done.project.folder, readonly=True)
    assert not looked.as_dict()["sound"]
    assert looked.told.startswith("The tracker was not updated")
    assert done.load().ledger[1].state == "done"
    told = verify(done.project.folder)
    # Of the small project's three shard files one exists, and no digest is that of a file.
    assert {each["file"] for each in told.as_dict()["damage"]} >= {
        "shards/00000.jsonl",
        "shards/00001.jsonl",
        str(done.log(1).relative_to(done.project.folder)),
    }
    assert "6 tasks failed: put a copy of it back" in told.told
    assert done.load().ledger[1].state == "failed"
    assert list(told.lines())[-1].startswith(f"{len(told.damage)} files damaged of ")


def test_what_looks_damaged_while_it_runs_is_read_again(
    done: SmallProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock()
    monkeypatch.setattr(run_control, "live_supervisor", lambda _: object())
    begun = clock.monotonic()
    result = verify(done.project.folder, readonly=True, clock=clock)
    assert clock.monotonic() == begun + SETTLE_SECONDS
    assert len(result.damage) == 3, "the shard files are damaged still"


def test_no_project(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="holds no project"):
        verify(tmp_path)
