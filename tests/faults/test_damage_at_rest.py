"""Finished files that are damaged while nothing runs: found where they are read, and made good."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from db import projects
from db.connection import reading
from db.rows import ProjectRow
from engine.project.layout import Project
from engine.project.opening import open_project
from tests.faults.support.gate import Gate
from tests.faults.support.invariants import check_invariants
from tests.faults.support.projects import copy_project, exported_bytes, make_project
from tests.faults.support.supervisor_process import FAST_POLICY, SupervisorProcess
from tests.support.cli import cli, cli_ok, status
from tests.support.pictures import make_captions
from tests.support.waiting import wait_for

COUNT = 60
"""Records, in three shards."""


@pytest.fixture(scope="module")
def done_once(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("data")
    make_captions(folder, COUNT)
    project = make_project(tmp_path_factory.mktemp("done") / "run", folder / "captions.json", 20)
    with SupervisorProcess(project) as running:
        assert running.wait() == 0
    return project


@pytest.fixture(scope="module")
def export_of_done(done_once: Project) -> bytes:
    return exported_bytes(done_once)


@pytest.fixture
def done(tmp_path: Path, done_once: Project, export_of_done: bytes) -> Path:
    """A finished project of three shards, with its export in `before.json` beside it."""
    (tmp_path / "before.json").write_bytes(export_of_done)
    return copy_project(done_once, tmp_path / "run").folder


def log_of(project: Path, shard: int = 1) -> Path:
    return next((project / "captions").glob(f"*/{shard:05}.jsonl"))


def sheared_of(project: Path, shard: int = 1) -> Path:
    return next((project / "captions").glob(f"*/{shard:05}.sheared-*.jsonl"))


def flip_a_caption(data: bytes) -> bytes:
    """Change letters inside a caption: every line is still a row."""
    return re.sub(rb'"raw":"..', b'"raw":"Zz', data, count=1)


def swap_two_indexes(data: bytes) -> bytes:
    """Give two captions to each other's records."""
    marked = data.replace(b'{"i":3,', b'{"i":#,').replace(b'{"i":4,', b'{"i":3,')
    return marked.replace(b'{"i":#,', b'{"i":4,')


def remove_lines(data: bytes) -> bytes:
    """Remove six rows, and fill up with blanks to the same size."""
    kept = b"".join(data.splitlines(keepends=True)[:-6])
    return kept[:-1] + b" " * (len(data) - len(kept)) + b"\n"


def zero_a_block(data: bytes) -> bytes:
    return data[:400] + b"\0" * 300 + data[700:]


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def cut_whole_lines(data: bytes) -> bytes:
    return b"".join(data.splitlines(keepends=True)[:-6])


def append_another_caption(data: bytes) -> bytes:
    return data + b'{"i":3,"raw":"of another image","tokens":3,"finish":"stop"}\n'


def append_nonsense(data: bytes) -> bytes:
    return data + b'{"i":3,"raw":"of an'


LOG_DAMAGE: tuple[Callable[[bytes], bytes], ...] = (
    flip_a_caption,
    swap_two_indexes,
    remove_lines,
    zero_a_block,
    cut,
    cut_whole_lines,
    append_another_caption,
    append_nonsense,
)


def change(path: Path, damage: Callable[[bytes], bytes], keeps_time: bool) -> None:
    before = path.stat()
    data = path.read_bytes()
    path.write_bytes(damage(data))
    assert path.read_bytes() != data
    if keeps_time:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def heal(project: Path) -> None:
    """Run, and look that everything is as if nothing had happened."""
    out, before = project.parent / "after.json", project.parent / "before.json"
    cli_ok("run", project, "--devices", "cpu")
    assert status(project)["state"] == "finished"
    cli_ok("export", project, out)
    assert out.read_bytes() == before.read_bytes()
    check_invariants(open_project(project))
    assert "sound" in cli_ok("verify", project)


@pytest.mark.parametrize("keeps_time", [True, False])
@pytest.mark.parametrize("damage", LOG_DAMAGE)
def test_a_damaged_log_is_found_by_verify_and_made_good_by_run(
    done: Path, damage: Callable[[bytes], bytes], keeps_time: bool
) -> None:
    change(log_of(done), damage, keeps_time)
    found = cli("verify", done)
    assert found.returncode == 1
    assert "/00001.jsonl was changed after its task was done" in found.stdout
    heal(done)
    assert list((done / "captions").glob("*/00001.jsonl.damaged-*")), "the damaged log is kept"


@pytest.mark.parametrize("options", [(), ("--format", "jsonl", "--provenance")])
def test_an_export_refuses_what_it_reads_of_a_damaged_log(
    done: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    """The sheared file is gone, so that the export needs the log; two logs are damaged at once."""
    for shard, damage in ((0, flip_a_caption), (2, remove_lines)):
        sheared_of(done, shard).unlink()
        change(log_of(done, shard), damage, keeps_time=True)
    refused = cli("export", done, tmp_path / "x.json", *options)
    assert refused.returncode == 2
    assert refused.stderr.count("was changed after its task was done") == 2
    assert "'mllmaug-tui run' captions 2 tasks again" in refused.stderr
    assert not (tmp_path / "x.json").exists()
    partly = cli_ok("export", done, tmp_path / "x.json", "--allow-partial")
    assert "20 captions of 20 images" in partly
    assert "40 not there yet" in partly
    heal(done)


def test_an_export_of_what_there_is_counts_what_is_damaged(done: Path, tmp_path: Path) -> None:
    change(log_of(done), swap_two_indexes, keeps_time=False)
    out = tmp_path / "x.json"
    exported = cli("export", done, out, "--allow-partial")
    assert "20 in damaged files" in exported.stdout
    assert "'mllmaug-tui run' captions 1 task again" in exported.stderr
    assert len(json.loads(out.read_bytes())) == 40
    heal(done)


@pytest.mark.parametrize("kind", ["gone", "of another shard"])
def test_a_log_that_is_not_there_or_is_anothers(done: Path, kind: str) -> None:
    log = log_of(done)
    if kind == "gone":
        log.unlink()
    else:
        shutil.copy2(log_of(done, 0), log)
    assert cli("verify", done).returncode == 1
    heal(done)


@pytest.mark.parametrize(
    "damage", [lambda data: data.replace(b'"', b"'"), cut, zero_a_block, flip_a_caption, None]
)
def test_a_damaged_sheared_file_is_never_believed(
    done: Path, tmp_path: Path, damage: Callable[[bytes], bytes] | None
) -> None:
    path = sheared_of(done)
    whole = path.read_bytes()
    if damage is flip_a_caption:
        change(path, lambda data: data.replace(b"A", b"B", 1).replace(b"a", b"b", 1), True)
    elif damage is None:  # the sheared captions of another shard
        shutil.copyfile(sheared_of(done, 0), path)
    else:
        change(path, damage, True)
    damaged = path.read_bytes()
    cli_ok("export", done, tmp_path / "after.json")
    assert (tmp_path / "after.json").read_bytes() == (tmp_path / "before.json").read_bytes()
    assert path.read_bytes() == whole, "it is made again"
    path.write_bytes(damaged)
    found = cli("verify", done)
    assert found.returncode == 1
    assert "does not hold the sheared captions" in found.stdout
    assert path.read_bytes() == whole, "it is made again"
    assert "sound" in cli_ok("verify", done)


@pytest.mark.parametrize("command", [("stats",), ("samples",), ("reshear", "--mode", "sentence")])
def test_what_reads_a_damaged_log_refuses_it_and_tells_the_tracker(
    done: Path, command: tuple[str, ...]
) -> None:
    change(log_of(done), flip_a_caption, keeps_time=True)
    refused = cli(command[0], done, *command[1:])
    assert refused.returncode == 2
    assert "was changed after its task was done" in refused.stderr
    assert status(done)["tasks"]["pending"] == 1
    heal(done)


@pytest.mark.parametrize("failed_items", [True, False])
def test_a_retry_does_not_hide_damage(done: Path, failed_items: bool) -> None:
    """After a retry the log gets another digest, which must not be that of damaged captions."""
    log = log_of(done)
    images = [json.loads(line)["image"] for line in (done / "shards/00001.jsonl").open()]
    root = Path(json.loads((done / "project.json").read_text())["project"]["image_root"])
    image = (done / root / images[5]).resolve()
    kept = image.rename(image.with_name("away"))
    log.unlink()
    assert "1 image failed" in cli_ok("run", done, "--devices", "cpu")
    shutil.move(kept, image)
    change(log, flip_a_caption, keeps_time=True)
    cli_ok("retry", done, *(["--failed-items"] if failed_items else ["--shard", 1]))
    heal(done)


def test_a_damaged_shard_fails_its_tasks_until_it_is_put_back(done: Path) -> None:
    shard = done / "shards/00001.jsonl"
    whole = shard.read_bytes()
    change(shard, lambda data: data.replace(b"000021", b"000022"), keeps_time=True)
    found = cli("verify", done)
    assert found.returncode == 1
    assert "shards/00001.jsonl was changed since the input was split: put a copy" in found.stdout
    assert status(done)["tasks"]["failed"] == 1
    shard.write_bytes(whole)
    cli_ok("retry", done)
    heal(done)


def test_a_damaged_tracker_and_manifest_are_made_again(done: Path) -> None:
    (done / "project.json").write_text("{}")
    found = cli("verify", done)
    assert found.returncode == 1
    assert "project.json" in found.stdout
    assert "sound" in cli_ok("verify", done)
    (done / "project.db").write_bytes(b"what is this?\n" * 1000)
    found = cli("verify", done, "--json")
    assert found.returncode == 1
    assert [each["file"] for each in json.loads(found.stdout)["damage"]] == ["project.db"]
    heal(done)


def test_damage_that_is_found_while_it_runs_is_made_good_by_this_run(
    tmp_path: Path, done_once: Project, export_of_done: bytes
) -> None:
    """The worker waits in the second shard; the log of the first is damaged meanwhile."""
    data = done_once.image_root(projects_row(done_once))
    project = make_project(tmp_path / "run", data / "captions.json", 20)
    gate = Gate(tmp_path, 30)
    with SupervisorProcess(project, policy=FAST_POLICY, **gate.environment) as running:
        wait_for(lambda: status(project.folder)["tasks"]["done"] == 1)
        assert "1 running task left out" in cli_ok("verify", project.folder)
        change(log_of(project.folder, 0), swap_two_indexes, keeps_time=True)
        found = cli("verify", project.folder)
        assert found.returncode == 1
        assert "'mllmaug-tui run' captions 1 task again" in found.stdout
        gate.open()
        assert running.wait() == 0
    assert exported_bytes(project) == export_of_done
    check_invariants(project)


def projects_row(project: Project) -> ProjectRow:
    with reading(project.database) as connection:
        return projects.project(connection)


def test_bad_input(tmp_path: Path) -> None:
    refused = cli("verify", tmp_path)
    assert refused.returncode == 2
    assert "holds no project" in refused.stderr
