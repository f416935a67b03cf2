"""`set`, `new --preset` and `new --set`: which values they accept, and what captions then count."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from db import projects
from db.connection import reading
from db.rows import ModelRow
from engine.captioners.registry import FAMILIES, choose, choose_all
from engine.project.lock import ProjectLock
from engine.project.opening import open_project
from engine.utils.errors import BadInput
from tests.faults.support.fake_server import FakeServer
from tests.support.checkpoints import CHECKPOINTS
from tests.support.cli import cli, cli_ok, status
from tests.support.forked import ForkedCommand
from tests.support.pictures import make_captions
from tests.support.waiting import TIMEOUT_SECONDS, wait_for


@pytest.fixture(scope="module")
def otter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return CHECKPOINTS["otter"](tmp_path_factory.mktemp("otter") / "otter")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, otter: Path) -> Path:
    folder = tmp_path_factory.mktemp("template")
    data = make_captions(folder / "data", 4)
    cli_ok("new", folder / "run", data, "--model", f"otter={otter}", "--model", "dry-run")
    return folder / "run"


@pytest.fixture
def project(tmp_path: Path, template: Path) -> Path:
    """A project with the models `otter` and `dry-run`, in which nothing was captioned."""
    return shutil.copytree(template, tmp_path / "run")


def read_model(project: Path, name: str = "otter") -> ModelRow:
    with reading(open_project(project).database) as connection:
        return next(row for row in projects.models(connection) if row.name == name)


REFUSED = {
    "batch=0": "batch must be a whole number from 1",
    "batch=many": "not 'many'",
    "batch": "write KEY=VALUE",
    "colour=red": "otter has no setting 'colour'",
    "vision_tower=/tmp": "otter has no setting 'vision_tower'",
    "temperature=-1": "temperature must be a number from 0 up",
    "temperature=nan": "temperature must be",
    "top_p=1.5": "top_p must be a number above 0 and up to 1",
    "dtype=int8": "dtype must be one of auto",
    "preprocess=stretch": "preprocess must be one of crop, pad, squash",
    "min_new_tokens=31": "min_new_tokens 31 is above max_new_tokens 30",
    "tokenizer=/nowhere": "tokenizer must be an existing",
    "preset=novel": "otter has no preset 'novel'",
    "checkpoint=/nowhere": "no such checkpoint folder",
    "prompt=<image> <image>": "the prompt must hold <image> once",
}


@pytest.mark.parametrize("change", REFUSED)
def test_bad_settings_are_refused_in_one_line(project: Path, change: str) -> None:
    before = read_model(project)
    done = cli("set", project, "otter", change)
    assert done.returncode == 2
    assert REFUSED[change] in done.stderr
    assert done.stderr.count("\n") == 1
    assert read_model(project) == before


def test_an_unknown_model_is_refused(project: Path) -> None:
    done = cli("set", project, "llama", "batch=2")
    assert (done.returncode, "no model 'llama'" in done.stderr) == (2, True)


def test_another_batch_keeps_the_settings_hash(project: Path) -> None:
    before = read_model(project)
    assert "captions stay as they are" in cli_ok("set", project, "otter", "batch=3")
    after = read_model(project)
    assert after.settings["batch"] == 3
    assert after.settings_hash == before.settings_hash


def test_a_plain_prompt_is_put_into_the_conversation_template(project: Path) -> None:
    cli_ok("set", project, "otter", "prompt=What is it?")
    assert read_model(project).settings["prompt"] == "<image>User: What is it? GPT:<answer>"
    cli_ok("set", project, "otter", "preset=official")
    assert read_model(project).settings["prompt"] == FAMILIES["otter"].presets["official"].prompt


def test_tasks_begin_anew_and_earlier_captions_count_again(tmp_path: Path) -> None:
    project, data = tmp_path / "run", make_captions(tmp_path / "data", 4)
    with FakeServer() as server:
        cli_ok("new", project, data, "--model", f"served={server.address}", "--model", "dry-run")
        cli_ok("set", project, "served", "max_new_tokens=3")
        cli_ok("run", project, "--devices", "cpu")
    first = read_model(project, "served").folder
    logs = {path: path.read_bytes() for path in (project / "captions" / first).iterdir()}
    assert "1 task to do again" in cli_ok("set", project, "served", "seed=7")
    assert read_model(project, "served").folder != first
    after = status(project)
    assert after["state"] == "idle"
    assert after["tasks"] == {"pending": 1, "running": 0, "done": 1, "failed": 0, "skipped": 0}
    assert [model["captioned"] for model in after["models"]] == [0, 4]
    assert {path: path.read_bytes() for path in logs} == logs
    output = cli_ok("set", project, "served", "seed=0")
    assert "1 of them with captions of the same settings from before" in output
    assert read_model(project, "served").folder == first
    assert status(project)["state"] == "finished"
    cli_ok("export", project, project / "out.json")
    assert len(json.loads((project / "out.json").read_text())) == 8


def test_settings_cannot_change_while_the_project_runs(project: Path) -> None:
    with ProjectLock(project / "lock"):
        done = cli("set", project, "otter", "batch=2")
    assert (done.returncode, "in use" in done.stderr) == (1, True)
    cli_ok("pause", project)
    running = ForkedCommand("run", project, "--devices", "cpu")
    try:
        wait_for(lambda: status(project)["supervisor"])
        done = cli("set", project, "otter", "batch=2")
        assert (done.returncode, "stop it" in done.stderr) == (1, True)
    finally:
        cli("stop", project)
        running.communicate(timeout=TIMEOUT_SECONDS)


def test_new_applies_presets_and_settings(tmp_path: Path, otter: Path) -> None:
    choices = choose_all(
        [f"otter={otter}", "dry-run"], "official", ["otter.batch=2", "dry-run.batch=9"]
    )
    assert choices[0].settings["prompt"] == FAMILIES["otter"].presets["official"].prompt
    assert [choice.settings["batch"] for choice in choices] == [2, 9]
    for wrong in ("batch=2", "llava-1.5.batch=2", "otter.batch", "otter.batch=x"):
        with pytest.raises(BadInput):
            choose_all([f"otter={otter}"], None, [wrong])


def test_the_tokenizer_may_be_in_another_folder(tmp_path: Path, otter: Path) -> None:
    tokenizer_folder = tmp_path / "tokenizer"
    tokenizer_folder.mkdir()
    checkpoint = tmp_path / "bare"
    checkpoint.mkdir()
    for path in otter.iterdir():
        target = tokenizer_folder if path.name.startswith("tokenizer") else checkpoint
        (target / path.name).symlink_to(path)
    with pytest.raises(BadInput, match=r"--set otter\.tokenizer=FOLDER"):
        choose(f"otter={checkpoint}")
    choice = choose(f"otter={checkpoint}", None, {"tokenizer": str(tokenizer_folder)})
    moved = tokenizer_folder.rename(tmp_path / "moved")
    again = choose(f"otter={checkpoint}", None, {"tokenizer": str(moved)})
    assert choice.settings_hash == again.settings_hash
