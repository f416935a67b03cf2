"""Whole runs with real processes: every caption in the export belongs to its image."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from engine.project.opening import open_project
from tests.faults.support.gate import Gate
from tests.faults.support.invariants import GONE_SECONDS, check_invariants
from tests.support.cli import MAIN, MISBEHAVING, cli, cli_ok, status
from tests.support.forked import ForkedCommand
from tests.support.pictures import check_dry_run_export, draw_picture, make_captions
from tests.support.waiting import TIMEOUT_SECONDS, wait_for

COUNT = 120
"""Number of records in the data set."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    make_captions(folder, COUNT)
    return folder


@pytest.fixture
def run(tmp_path: Path, data: Path) -> Callable[..., Path]:
    """A function that makes a project of the data and returns its folder."""

    def new(name: str = "run", *options: object) -> Path:
        cli_ok("new", tmp_path / name, data / "captions.json", "--model", "dry-run", *options)
        return tmp_path / name

    return new


def image_names(count: int = COUNT) -> list[str]:
    return [f"images/{number:06}.png" for number in range(count)]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    """A project of four shards that has been captioned; tests only read it, or copy it."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    cli_ok("new", folder, data / "captions.json", "--model", "dry-run", "--shard-size", 30)
    assert f"{COUNT} of {COUNT} images captioned" in cli_ok("run", folder, "--devices", "cpu")
    return folder


def test_every_caption_belongs_to_its_image(finished: Path, data: Path, tmp_path: Path) -> None:
    output = cli_ok("export", finished, tmp_path / "out.json")
    assert f"{COUNT} captions of {COUNT} images" in output
    check_dry_run_export(tmp_path / "out.json", data, image_names())
    check_invariants(open_project(finished))
    assert len(list((finished / "captions").glob("*/*.sheared-*.jsonl"))) == 4


def test_export_gives_the_same_bytes_twice_and_with_other_workers(
    run: Callable[..., Path], finished: Path, tmp_path: Path
) -> None:
    other = run("other", "--shards", 7)
    cli_ok("run", other, "--devices", "cpu:3")
    exports = []
    for number, project in enumerate((finished, finished, other, other)):
        out = tmp_path / f"{number}.json"
        cli_ok("export", project, out)
        exports.append(out.read_bytes())
    assert len(set(exports)) == 1
    for sheared in (other / "captions").glob("*/*.sheared-*"):
        sheared.unlink()
    cli_ok("export", other, out, "--force")
    assert out.read_bytes() == exports[0]


def test_bad_images_are_failed_records_and_can_be_retried(tmp_path: Path) -> None:
    data = tmp_path / "data"
    captions = make_captions(data, 12)
    whole = (data / "images/000003.png").read_bytes()
    (data / "images/000001.png").write_text("text, renamed")
    (data / "images/000003.png").write_bytes(whole[: len(whole) - 30])
    (data / "images/000005.png").unlink()
    project = tmp_path / "run"
    cli_ok("new", project, captions, "--model", "dry-run", "--shard-size", 5)
    done = cli("run", project, "--devices", "cpu")
    assert done.returncode == 0
    assert "3 images failed" in done.stdout
    check_invariants(open_project(project))
    assert "3 failed" in cli_ok("export", project, tmp_path / "out.json")
    good = [name for i, name in enumerate(image_names(12)) if i not in (1, 3, 5)]
    check_dry_run_export(tmp_path / "out.json", data, good)

    log = next((project / "captions").glob("*/00000.jsonl"))
    before = log.read_bytes()
    for number in (1, 3, 5):
        draw_picture(data / f"images/{number:06}.png", 1000 + number)
    assert "retry of the failed records of 2 tasks" in cli_ok("retry", project, "--failed-items")
    assert status(project)["tasks"]["pending"] == 2
    cli_ok("run", project, "--devices", "cpu")
    cli_ok("export", project, tmp_path / "out.json", "--force")
    check_dry_run_export(tmp_path / "out.json", data, image_names(12))
    added = log.read_bytes().removeprefix(before).splitlines()
    assert sorted(json.loads(line)["i"] for line in added) == [1, 3]
    check_invariants(open_project(project))


def test_a_retried_shard_is_done_again_and_the_others_are_not(
    finished: Path, tmp_path: Path
) -> None:
    project = shutil.copytree(finished, tmp_path / "run")
    logs = sorted((project / "captions").glob("*/0000?.jsonl"))
    sizes = [log.stat().st_size for log in logs]
    assert "retry of 1 task" in cli_ok("retry", project, "--shard", 2)
    cli_ok("run", project, "--devices", "cpu")
    grown = [log.stat().st_size / size for log, size in zip(logs, sizes, strict=True)]
    assert grown == [1, 1, 2, 1]
    check_invariants(open_project(project), redone=[2])


def test_pause_resume_stop_and_a_second_run(
    run: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # So that the run has not ended when a slow machine comes to ask it.
    monkeypatch.setenv("MISBEHAVIOUR_SECONDS", "1")
    project = run("run", "--shard-size", 20)
    with slow_run(project, monkeypatch) as running:
        wait_for(lambda: status(project)["models"][0]["captioned"] > 0, every=0.2)
        before = status(project)
        assert before["state"] == "running"
        assert before["supervisor"]["pid"] == running.pid
        assert {worker["device"] for worker in before["workers"]} == {"cpu:0", "cpu:1"}
        assert all(psutil.pid_exists(worker["pid"]) for worker in before["workers"])

        assert cli_ok("pause", project).strip() == "paused"
        assert status(project)["state"] == "paused"
        captioned = wait_for(lambda: status(project)["models"][0]["captioned"])
        assert cli_ok("resume", project).strip() == "resumed"
        wait_for(lambda: status(project)["models"][0]["captioned"] > captioned, every=0.2)

        with ForkedCommand("run", project) as second:
            assert "attached" in second.stdout.readline()
            assert "stopped" in cli_ok("stop", project)
            assert running.wait(timeout=TIMEOUT_SECONDS) == 1
            assert second.wait(timeout=TIMEOUT_SECONDS) == 1
    assert status(project)["state"] == "idle"
    assert status(project)["workers"] == []
    cli_ok("run", project, "--devices", "cpu:2")
    check_invariants(open_project(project))


def slow_run(
    project: Path, monkeypatch: pytest.MonkeyPatch, devices: str = "cpu:2"
) -> ForkedCommand:
    """Start `run` with workers that take 50 ms an image, or more."""
    monkeypatch.setenv("MISBEHAVIOUR", "slow")
    return ForkedCommand("run", project, "--devices", devices, code=MISBEHAVING + MAIN)


def gated_run(project: Path, monkeypatch: pytest.MonkeyPatch, gate: Gate) -> ForkedCommand:
    """Start `run` with two workers that wait at the gate."""
    for name, value in gate.environment.items():
        monkeypatch.setenv(name, value)
    return ForkedCommand("run", project, "--devices", "cpu:2", code=MISBEHAVING + MAIN)


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    """A gate at which each worker process waits after its first batch."""
    return Gate(tmp_path, 1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_ends_at_once_and_loses_nothing(
    run: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, gate: Gate, number: signal.Signals
) -> None:
    project = run("run", "--shard-size", 20)
    with gated_run(project, monkeypatch, gate) as running:
        wait_for(lambda: caption_log_rows(project) > 0)
        running.send_signal(number)
        assert running.wait(timeout=TIMEOUT_SECONDS) == 130
    captioned = status(project)["models"][0]["captioned"]
    assert captioned == caption_log_rows(project) > 0
    cli_ok("run", project, "--devices", "cpu:2")
    assert caption_log_rows(project) == COUNT
    check_invariants(open_project(project))


def caption_log_rows(project: Path) -> int:
    return sum(len(log.read_bytes().splitlines()) for log in caption_logs(project))


def caption_logs(project: Path) -> list[Path]:
    return [p for p in (project / "captions").glob("*/*.jsonl") if "sheared" not in p.name]


def test_a_run_that_was_started_detached_outlives_its_starter(
    run: Callable[..., Path], tmp_path: Path
) -> None:
    project = run("run", "--shard-size", 20)
    assert "running as process" in cli_ok("run", project, "--devices", "cpu", "--detach")
    wait_for(lambda: status(project)["state"] == "finished")
    wait_for(lambda: status(project)["supervisor"] is None)
    check_invariants(open_project(project))
    assert cli("run", project, "--detach").returncode == 0


def test_a_project_can_be_moved(run: Callable[..., Path], tmp_path: Path, data: Path) -> None:
    project = run("run", "--shard-size", 30)
    moved = tmp_path / "else where" / "moved [x]"
    moved.parent.mkdir()
    project.rename(moved)
    cli_ok("run", moved, "--devices", "cpu")
    cli_ok("export", moved, tmp_path / "out.json")
    check_dry_run_export(tmp_path / "out.json", data, image_names())


def test_images_and_paths_of_an_export_can_be_mapped(finished: Path, tmp_path: Path) -> None:
    cli_ok("export", finished, tmp_path / "a.json", "--image-root", "/data/cc3m")
    assert json.loads((tmp_path / "a.json").read_text())[0]["image"] == (
        "/data/cc3m/images/000000.png"
    )
    cli_ok("export", finished, tmp_path / "b.json", "--path-map", "images/=pictures/")
    assert json.loads((tmp_path / "b.json").read_text())[1]["image"] == "pictures/000001.png"
    cli_ok("export", finished, tmp_path / "c.json", "--with-original", "--model", "dry-run")
    records = json.loads((tmp_path / "c.json").read_text())
    assert [record["caption"][:8] for record in records[:4]] == ["alt text", "24x16 RG"] * 2


def test_samples_show_both_texts(finished: Path) -> None:
    samples = json.loads(cli_ok("samples", finished, "--count", 5, "--json"))
    assert len(samples) == 5
    assert len({sample["shard"] for sample in samples}) == 4
    for sample in samples:
        (caption,) = sample["captions"]
        assert caption["raw"].endswith("to be sheared.")
        assert caption["raw"][caption["start"] : caption["end"]] == caption["sheared"]
    output = cli_ok("samples", finished, "--count", 1)
    assert "//. This second sentence is here to be sheared.//" in output


def test_no_process_is_left_when_the_supervisor_is_killed(
    run: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = run("run", "--shard-size", 20)
    monkeypatch.setenv("MISBEHAVIOUR_SECONDS", "60")  # an orphan would be at it for minutes
    with slow_run(project, monkeypatch, "cpu:3") as running:
        pids = wait_for(lambda: pids_of_three_workers(project))
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
        wait_for(lambda: not any(psutil.pid_exists(pid) for pid in pids), GONE_SECONDS)
    assert status(project)["state"] == "killed"


def pids_of_three_workers(project: Path) -> list[int] | None:
    pids = [worker["pid"] for worker in status(project)["workers"]]
    return pids if len(pids) == 3 else None
