"""Files that are truncated, damaged, edited or deleted between two runs."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from engine.project.layout import Project
from engine.project.opening import open_project
from tests.faults.support.gate import Gate
from tests.faults.support.invariants import check_invariants
from tests.faults.support.projects import (
    copy_project,
    events,
    exported_bytes,
    make_project,
    row_count,
)
from tests.faults.support.supervisor_process import FAST_POLICY, SupervisorProcess
from tests.support.cli import cli, cli_ok, status
from tests.support.pictures import check_dry_run_export, make_captions
from tests.support.waiting import wait_for

COUNT = 90


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    make_captions(folder, COUNT)
    return folder


@pytest.fixture(scope="module")
def done_once(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Project:
    project = make_project(tmp_path_factory.mktemp("done") / "run", data / "captions.json", 30)
    with SupervisorProcess(project) as running:
        assert running.wait() == 0
    return project


@pytest.fixture
def done(tmp_path: Path, done_once: Project) -> Path:
    """A finished project of three shards, with its export in `before.json` beside it."""
    (tmp_path / "before.json").write_bytes(exported_bytes(done_once))
    return copy_project(done_once, tmp_path / "run").folder


def caption_log(project: Path, shard: int = 1) -> Path:
    return next((project / "captions").glob(f"*/{shard:05}.jsonl"))


DAMAGES = ("gone", "truncated", "torn", "zeroed", "edited", "grown")
INSIDE = ("foreign", "torn inside", "hole")
"""Damages that leave lines in the log which are no rows of its shard."""


@pytest.mark.parametrize("damage", DAMAGES + INSIDE)
def test_a_finished_log_that_changed_is_noticed_and_made_good(
    done: Path, tmp_path: Path, damage: str
) -> None:
    log = caption_log(done)
    whole = log.read_bytes()
    lines = whole.splitlines(keepends=True)
    match damage:
        case "gone":
            log.unlink()
        case "truncated":
            log.write_bytes(b"".join(lines[:10]))
        case "torn":
            log.write_bytes(whole[:-40])
        case "zeroed":
            log.write_bytes(whole[:-200] + b"\0" * 200)
        case "edited":
            log.write_bytes(whole.replace(b"24x16", b"99x99", 1))
        case "grown":
            log.write_bytes(whole + b'{"i": 3, "raw": "to')
        case "foreign":
            other = b'{"i": 999, "raw": "of another shard", "tokens": 1, "finish": "stop"}\n'
            log.write_bytes(b"".join([*lines[:9], b"what is this\n", other, *lines[9:]]))
        case "torn inside":
            log.write_bytes(b"".join([*lines[:9], lines[9][:20], b"\n", *lines[10:]]))
        case "hole":
            log.write_bytes(whole[:500] + b"\0" * 300 + whole[800:])
    exported = cli("export", done, tmp_path / "after.json")
    assert exported.returncode == 2
    assert "'mllmaug-tui run'" in exported.stderr
    assert not (tmp_path / "after.json").exists()
    cli_ok("run", done, "--devices", "cpu")
    assert status(done)["state"] == "finished"
    cli_ok("export", done, tmp_path / "after.json")
    assert (tmp_path / "after.json").read_bytes() == (tmp_path / "before.json").read_bytes()
    check_invariants(open_project(done))


def test_a_shard_that_was_edited_after_the_split_is_refused(done: Path) -> None:
    shard = done / "shards/00001.jsonl"
    original = shard.read_bytes()
    shard.write_bytes(original.replace(b"000031", b"000030"))
    assert "was changed since" in cli("export", done, done.parent / "after.json").stderr
    cli_ok("retry", done, "--shard", 1)
    assert cli("run", done, "--devices", "cpu").returncode == 1
    assert status(done)["tasks"]["failed"] == 1
    shard.write_bytes(original)
    cli_ok("retry", done)
    cli_ok("run", done, "--devices", "cpu")
    check_invariants(open_project(done), redone=[1])


@pytest.mark.parametrize("how", ["in place", "replaced"])
def test_a_shard_that_is_edited_while_it_is_read(tmp_path: Path, data: Path, how: str) -> None:
    """Records that were read before the edit may be captioned, but no record after it."""
    project = make_project(tmp_path / "run", data / "captions.json", 90, 2)
    shard = project.shard_file(0)
    original = shard.read_bytes()
    swapped = b"".join(reversed(original.splitlines(keepends=True)))
    policy = replace(FAST_POLICY, chunk=4)
    gate = Gate(tmp_path, 2)
    with SupervisorProcess(project, policy=policy, **gate.environment) as running:
        wait_for(lambda: row_count(project) > 0)
        if how == "in place":
            shard.write_bytes(swapped)
        else:
            other = shard.with_name("other")
            other.write_bytes(swapped)
            other.rename(shard)
        gate.open()
        running.wait()
    assert ("was changed since" in events(project)) == (how == "in place")
    assert (
        "was changed since"
        in cli("export", project.folder, tmp_path / "x.json", "--allow-partial").stderr
    )
    shard.write_bytes(original)
    cli("retry", project.folder)
    with SupervisorProcess(project) as running:
        assert running.wait() == 0
    check_invariants(project)
    export = tmp_path / "out.json"
    cli_ok("export", project.folder, export)
    check_dry_run_export(export, data, [f"images/{number:06}.png" for number in range(COUNT)])


def test_sheared_files_are_never_the_truth(done: Path, tmp_path: Path) -> None:
    sheared = sorted((done / "captions").glob("*/*.sheared-*"))
    sheared[0].unlink()
    sheared[1].write_bytes(b'"cut short"\n')
    cli_ok("export", done, tmp_path / "after.json")
    assert (tmp_path / "after.json").read_bytes() == (tmp_path / "before.json").read_bytes()


def test_a_kept_folder_may_be_copied_while_nothing_runs(done: Path, tmp_path: Path) -> None:
    shutil.copytree(done, tmp_path / "copy")
    cli_ok("run", tmp_path / "copy", "--devices", "cpu")
    cli_ok("export", tmp_path / "copy", tmp_path / "copy.json")
    assert (tmp_path / "copy.json").read_bytes() == (tmp_path / "before.json").read_bytes()
