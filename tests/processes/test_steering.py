"""The commands on shards, records, devices and models, each against a real project."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from db import projects, supervisor_writes
from db.connection import reading
from engine.project.opening import open_project
from tests.faults.support.gate import Gate
from tests.support.checkpoints import CHECKPOINTS
from tests.support.cli import MAIN, MISBEHAVING, cli, cli_ok, status
from tests.support.forked import ForkedCommand
from tests.support.pictures import make_captions
from tests.support.waiting import wait_for


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Four shards of five records; two images are missing, one is damaged."""
    data = make_captions(tmp_path / "data", 20)
    for number in (3, 14):
        (tmp_path / "data" / f"images/{number:06}.png").unlink()
    (tmp_path / "data" / "images/000007.png").write_text("no image")
    cli_ok("new", tmp_path / "run", data, "--model", "dry-run", "--shard-size", 5)
    return tmp_path / "run"


def tasks(project: Path) -> list[tuple[int, str, int]]:
    with reading(open_project(project).database) as connection:
        return [(task.shard, task.state, task.priority) for task in projects.tasks(connection)]


def manifest(project: Path) -> dict[str, Any]:
    return json.loads((project / "project.json").read_text())


def test_skipped_tasks_are_not_captioned_until_unskip(project: Path) -> None:
    assert "skipped: 2 tasks" in cli_ok("skip", project, "--shard", 1, "--shard", 3)
    assert [state for _, state, _ in tasks(project)] == ["pending", "skipped"] * 2
    cli_ok("run", project, "--devices", "cpu")
    assert status(project)["tasks"]["skipped"] == 2
    assert "no longer skipped: 1 task\n" in cli_ok("unskip", project, "--shard", 1)
    assert "no longer skipped: 1 task\n" in cli_ok("unskip", project)
    cli_ok("run", project, "--devices", "cpu")
    assert status(project)["tasks"]["done"] == 4


@pytest.mark.parametrize("command", ["skip", "priority"])
def test_a_command_that_names_no_task_is_refused(project: Path, command: str) -> None:
    done = cli(command, project)
    assert done.returncode == 2
    assert "--shard N" in done.stderr
    assert cli(command, project, "--shard", 4).returncode == 2
    assert cli(command, project, "--model", "otter").returncode == 2


def test_priority_is_changed_for_waiting_tasks_only(project: Path) -> None:
    assert "priority 5: 00003 dry-run" in cli_ok("priority", project, "--shard", 3, "--by", 5)
    cli_ok("priority", project, "--shard", 0, "--by", -1)
    assert [priority for _, _, priority in tasks(project)] == [-1, 0, 0, 5]
    cli_ok("run", project, "--devices", "cpu")
    done = cli("priority", project, "--shard", 3)
    assert done.returncode == 1
    assert "only pending tasks" in done.stderr


def test_flagged_records_are_listed_and_left_out_of_exports(project: Path, tmp_path: Path) -> None:
    assert cli_ok("samples", project, "--flagged") == "nothing is flagged\n"
    assert cli_ok("flag", project, "0:1", "3/4") == "flagged: 00000/1, 00003/4\n"
    assert cli_ok("flag", project, "0:1") == "flagged already\n"
    output = cli_ok("samples", project, "--flagged")
    assert "images/000001.png  (shard 00000, record 1, flagged)" in output
    assert "alt text 19" in output, "also before it is captioned"
    cli_ok("run", project, "--devices", "cpu")
    samples = json.loads(cli_ok("samples", project, "--count", 40, "--json"))
    assert [sample["image"] for sample in samples if sample["flagged"]] == [
        "images/000001.png",
        "images/000019.png",
    ]
    output = cli_ok("export", project, tmp_path / "out.json", "--without-flagged")
    assert "2 of flagged records" in output
    images = [record["image"] for record in json.loads((tmp_path / "out.json").read_text())]
    assert len(images) == 20 - 3 - 2
    assert not {"images/000001.png", "images/000019.png"} & set(images)
    assert cli_ok("flag", project, "0:1", "1:1", "--undo") == "no longer flagged: 00000/1\n"
    assert cli_ok("flag", project, "0:1", "--undo") == "not flagged\n"
    assert len(json.loads(cli_ok("samples", project, "--flagged", "--json"))) == 1


@pytest.mark.parametrize("wrong", ["4:0", "0:5", "1", "0:1:2", "x:1", "0:-1", "[/x]"])
def test_a_flag_on_no_record_is_refused(project: Path, wrong: str) -> None:
    done = cli("flag", project, "0:0", wrong)
    assert done.returncode == 2
    assert wrong in done.stderr
    assert cli_ok("samples", project, "--flagged") == "nothing is flagged\n"


def test_failures_by_cause_and_as_csv(project: Path, tmp_path: Path) -> None:
    assert cli_ok("failures", project) == "nothing failed\n"
    cli_ok("run", project, "--devices", "cpu")
    output = cli_ok("failures", project)
    assert "missing: 2 images in 2 shards" in output
    by_shard = json.loads(cli_ok("failures", project, "--by", "shard", "--json"))
    assert {(row["shard"], row["kind"], row["count"]) for row in by_shard} == {
        (0, "missing", 1),
        (2, "missing", 1),
        (1, "corrupt", 1),
    }
    assert "dry-run: corrupt: 1 image" in cli_ok("failures", project, "--by", "model")
    out = tmp_path / "out.csv"
    cli_ok("failures", project, "--csv", out, "--cause", "missing")
    assert [row["image"] for row in csv.DictReader(out.open())] == [
        "images/000003.png",
        "images/000014.png",
    ]
    done = cli("failures", project, "--images")
    assert [line.split("\t")[:2] for line in done.stdout.splitlines()] == [
        ["images/000003.png", "0:3"],
        ["images/000007.png", "1:2"],
        ["images/000014.png", "2:4"],
    ]
    assert done.stderr == "3 images failed\n"
    done = cli("failures", project, "--cause", "mising")
    assert done.returncode == 2
    assert "the causes are 'missing', 'corrupt'" in done.stderr


def test_retry_and_exclude_a_cause(project: Path, tmp_path: Path) -> None:
    cli_ok("run", project, "--devices", "cpu")
    assert "2 records of 2 shards" in cli_ok("exclude", project, "--cause", "missing")
    assert cli("exclude", project, "--cause", "missing").returncode == 2
    assert "1 record of 1 shard" in cli_ok("exclude", project, "--shard", 1, "--record", 2)
    assert "nothing to retry" in cli_ok("retry", project, "--failed-items")
    assert "1 record of 1 shard" in cli_ok(
        "exclude", project, "--shard", 1, "--record", 2, "--undo"
    )
    assert "included again: 2 records" in cli_ok("exclude", project, "--undo")
    cli_ok("retry", project, "--failed-items")
    cli_ok("run", project, "--devices", "cpu")
    assert "still cannot be read (2 missing)" in cli("retry", project, "--cause", "missing").stderr
    data = tmp_path / "data/images"
    for number in (3, 14):
        shutil.copy(data / "000000.png", data / f"{number:06}.png")
    assert "failed records of 2 tasks" in cli_ok("retry", project, "--cause", "missing")
    for wrong in ((), ("--record", 1), ("--shard", 1), ("--cause", "missing", "--undo")):
        done = cli("exclude", project, *wrong)
        assert done.returncode == 2
        assert "name the records" in done.stderr


def test_pin_and_wake_a_device_of_the_run(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for command in (("pin", "cpu", "dry-run"), ("unpin", "cpu"), ("wake", "cpu")):
        name, *rest = command
        assert cli(name, project, *rest).returncode == 1, "nothing is running"
    for name, value in Gate(tmp_path, 1).environment.items():  # a fast machine would be done
        monkeypatch.setenv(name, value)
    running = ForkedCommand("run", project, "--devices", "cpu", code=MISBEHAVING + MAIN)
    try:
        wait_for(lambda: status(project)["supervisor"])
        cli_ok("pause", project)
        assert "cpu:0 now works on dry-run" in cli_ok("pin", project, "cpu:0", "dry-run")
        with reading(open_project(project).database) as connection:
            assert [device.pinned_model_id for device in supervisor_writes.devices(connection)] == [
                1
            ]
        assert "any model" in cli_ok("unpin", project, "cpu:0")
        assert "cpu:0 is awake" in cli_ok("wake", project, "cpu:0")
        assert "no device 'cuda:9': it has cpu:0" in cli("wake", project, "cuda:9").stderr
        assert "no model 'otter'" in cli("pin", project, "cpu:0", "otter").stderr
    finally:
        cli("stop", project)
        running.wait(30)


def test_add_model_captions_everything_and_is_in_the_manifest(
    project: Path, tmp_path: Path
) -> None:
    otter = CHECKPOINTS["otter"](tmp_path / "otter")
    cli_ok("run", project, "--devices", "cpu")
    for wrong in ("dry-run", "novel", "otter", f"otter={tmp_path / 'nowhere'}"):
        assert cli("add-model", project, wrong).returncode == 2, wrong
    assert cli("add-model", project, f"otter={otter}", "batch=0").returncode == 2
    output = cli_ok("add-model", project, f"otter={otter}", "batch=2", "--preset", "official")
    assert output == "otter: added, with 4 tasks\n"
    after = status(project)
    assert after["tasks"] == {"pending": 4, "running": 0, "done": 4, "failed": 0, "skipped": 0}
    assert [model["name"] for model in after["models"]] == ["dry-run", "otter"]
    assert [model["settings"]["batch"] for model in manifest(project)["models"]] == [256, 2]
    # The manifest alone brings the model back.
    (project / "project.db").unlink()
    assert status(project)["tasks"]["pending"] == 8


def test_set_and_reshear_are_in_the_manifest(project: Path) -> None:
    cli_ok("set", project, "dry-run", "batch=7")
    assert manifest(project)["models"][0]["settings"]["batch"] == 7
    cli_ok("reshear", project, "--mode", "sentence", "--max-words", 9)
    assert manifest(project)["project"]["shear_mode"] == "sentence"
    assert manifest(project)["project"]["shear_max_words"] == 9


def test_pilot_shows_captions_side_by_side(project: Path) -> None:
    findings = json.loads(cli_ok("pilot", project, "--images", 5, "--devices", "cpu", "--json"))
    assert findings["records"] == 20
    (model,) = findings["models"]
    assert model["images_per_second"] > 0
    captioning = 20 / model["images_per_second"]
    assert findings["seconds"] == pytest.approx(model["load_seconds"] + captioning)
    assert (model["captions"], model["failed"], model["agreement"]) == (4, 1, None)
    assert model["memory"] > 2**20
    assert [len(image["captions"]) for image in findings["images"]] == [1] * 5
    assert "missing" in findings["images"][3]["captions"][0]["error"]
    output = cli_ok("pilot", project, "--images", 2, "--devices", "cpu")
    assert "24x16" in output
    assert "model" in output
    assert "agree" in output
    assert "20 records on 1 device: about" in output
    assert status(project)["tasks"]["pending"] == 4, "nothing of the project changes"
