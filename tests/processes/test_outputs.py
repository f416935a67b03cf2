"""What commands write: whole, by one process at a time, and said if it did not arrive."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.datasets.exports.formats import FORMATS
from engine.utils.output_lock import output_lock
from tests.support.cli import MAIN, cli, cli_ok
from tests.support.forked import ForkedCommand
from tests.support.pictures import make_captions
from tests.support.waiting import TIMEOUT_SECONDS

HOLD = """
import sys, engine.datasets.exports.export as module
encode_shard = module.encode_shard
def wait_and_encode(job):
    print("writing", flush=True)
    sys.stdin.readline()
    return encode_shard(job)
module.encode_shard = wait_and_encode
from tui.cli.main import main
main()
"""
"""Code that runs a command whose export waits for a line on stdin before each shard."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("outputs")
    captions = make_captions(folder / "data", 8)
    cli_ok("new", folder / "run", captions, "--model", "dry-run", "--shard-size", 4)
    cli_ok("run", folder / "run", "--devices", "cpu")
    return folder / "run"


def start_held_export(*arguments: object) -> subprocess.Popen[str]:
    """Start an export that stands still before its first shard."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, "export", *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    return process


def contents(path: Path) -> dict[str, bytes]:
    files = path.rglob("*") if path.is_dir() else [path]
    return {str(file.relative_to(path)): file.read_bytes() for file in files if file.is_file()}


@pytest.mark.parametrize("format", ["json", "wds", "per-model"])
def test_of_two_exports_to_one_name_one_is_refused_and_one_is_whole(
    tmp_path: Path, project: Path, format: str
) -> None:
    alone, out = tmp_path / f"alone{FORMATS[format].suffix}", tmp_path / "out"
    cli_ok("export", project, alone, "--format", format)
    first = start_held_export(project, out, "--format", format)
    second = ForkedCommand("export", project, out, "--format", format, "--with-original", "--force")
    output, _ = second.communicate(timeout=TIMEOUT_SECONDS)
    assert (second.returncode, output.count("\n")) == (2, 1), output
    assert f"{out} is being written by another command" in output
    assert not out.exists()
    assert first.communicate("\n\n\n", timeout=TIMEOUT_SECONDS)[0].count("8 images = ") == 1
    assert first.returncode == 0
    assert contents(out) == contents(alone)
    assert {path.name for path in tmp_path.iterdir()} == {alone.name, "out"}


def test_after_a_killed_export_the_next_one_is_whole(tmp_path: Path, project: Path) -> None:
    out = tmp_path / "out.json"
    killed = start_held_export(project, out)
    killed.kill()
    killed.communicate(timeout=TIMEOUT_SECONDS)
    assert len(list(tmp_path.iterdir())) == 2, "the lock and what was begun"
    cli_ok("export", project, out)
    assert len(json.loads(out.read_text())) == 8
    assert list(tmp_path.iterdir()) == [out]


def test_a_file_that_is_there_is_replaced_only_with_force(tmp_path: Path, project: Path) -> None:
    captions = project.parent / "data" / "captions.json"
    before = captions.read_bytes()
    old = tmp_path / "old.json"
    for command in (
        ["export", project, old],
        ["failures", project, "--csv", old],
        ["merge", old, captions],
    ):
        old.write_text("old")
        refused = cli(*command)
        assert (refused.returncode, old.read_text()) == (2, "old")
        assert f"{old} exists: name another file, or replace it with --force" in refused.stderr
        cli_ok(*command, "--force")
        assert old.read_text() != "old"
    linked = tmp_path / "linked.json"
    os.link(captions, linked)
    for name in (captions, linked):
        for command in (["export", project, name], ["merge", name, captions]):
            refused = cli(*command, "--force")
            assert refused.returncode == 2
            assert "is an input" in refused.stderr
    assert captions.read_bytes() == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("command", ["--help", "status --json", "samples", "export"])
def test_output_that_cannot_be_written_is_one_line(
    tmp_path: Path, project: Path, command: str
) -> None:
    name, *options = command.split()
    arguments = [] if command == "--help" else [str(project)]
    arguments += [str(tmp_path / "out.json")] if name == "export" else []
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            [sys.executable, "-c", MAIN, name, *arguments, *options],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=TIMEOUT_SECONDS,
        )
    assert done.stderr == "the output cannot be written: No space left on device\n"
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("closed", "code", "said"),
    [
        ("1>&-", 1, "the standard output is closed: send it to a file, or to /dev/null\n"),
        ("0<&-", 0, ""),
        ("| true", 1, ""),
    ],
)
def test_a_closed_stream(project: Path, closed: str, code: int, said: str) -> None:
    script = f'set -o pipefail; "$0" -c "$1" samples "$2" --count 8 {closed}'
    done = subprocess.run(
        ["bash", "-c", script, sys.executable, MAIN, project],
        check=False,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
    )
    assert (done.returncode, done.stderr) == (code, said)


def test_too_few_files_end_a_run_with_the_reason(tmp_path: Path, project: Path) -> None:
    captions = project.parent / "data" / "captions.json"
    cli_ok("new", tmp_path / "run", captions, "--model", "dry-run")
    script = 'ulimit -n 16; exec "$0" -c "$1" run "$2" --devices cpu'
    done = subprocess.run(
        ["bash", "-c", script, sys.executable, MAIN, tmp_path / "run"],
        check=False,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("only 16 files may be open at once, and a run on 1 device needs")
    assert done.stderr.count("\n") == 1
    cli_ok("run", tmp_path / "run", "--devices", "cpu")


def test_a_lock_that_nobody_holds_any_more_is_none(tmp_path: Path, project: Path) -> None:
    with output_lock(tmp_path / "out.json"):
        assert cli("export", project, tmp_path / "out.json").returncode == 2
    cli_ok("export", project, tmp_path / "out.json")
