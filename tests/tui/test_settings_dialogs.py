"""The dialogs for settings, models, shearing, devices and reports, driven by keys."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input, OptionList, Select, Static

from db import supervisor_writes
from db.connection import writing
from tests.support import canned_projects, canned_rows
from tests.support.checkpoints import CHECKPOINTS
from tests.support.cli import cli_ok, status
from tests.support.pictures import make_captions
from tests.tui.conftest import FakeRunControl, label_text, press, ready, settle, until
from tui.app import MllmaugApp
from tui.dialogs.add_model import AddModel
from tui.dialogs.confirm import Confirm
from tui.dialogs.model_settings import ModelSettings
from tui.dialogs.models import Models
from tui.dialogs.report import Report
from tui.dialogs.reshear import Reshear
from tui.dialogs.settings import Settings as AllSettings
from tui.dialogs.text_prompt import Ask
from tui.screens.dashboard import Dashboard
from tui.viewmodel.settings import SettingRow

pytestmark = pytest.mark.asyncio
SIZE = (80, 24)


@pytest.fixture
def captioned(tmp_path: Path) -> Path:
    """Return the folder of a project whose one model has captioned everything."""
    data = make_captions(tmp_path / "data", 6)
    cli_ok("new", tmp_path / "run", data, "--model", "dry-run", "--shard-size", 3)
    cli_ok("run", tmp_path / "run", "--devices", "cpu")
    return tmp_path / "run"


def manifest(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "project.json").read_text())


async def test_set_a_batch(captioned: Path) -> None:
    app = MllmaugApp(captioned)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "M")
        assert isinstance(app.screen, Models)
        assert "dry-run" in str(app.screen.query_one(OptionList).options[0].prompt)
        await press(pilot, "enter")
        assert isinstance(app.screen, ModelSettings)
        assert label_text(app, "#said") == "nothing is changed"
        app.screen.query_one("#set-batch", Input).value = "0"
        await press(pilot, "ctrl+n")
        assert "batch must be a whole number" in label_text(app, "#said")
        app.screen.query_one("#set-batch", Input).value = "9"
        await press(pilot, "ctrl+n")
        await until(pilot, lambda: isinstance(app.screen, Dashboard))
        await until(pilot, lambda: manifest(captioned)["models"][0]["settings"]["batch"] == 9)
    assert status(captioned)["tasks"]["done"] == 2


async def test_all_settings_are_in_one_list_and_explained(captioned: Path) -> None:
    app = MllmaugApp(captioned)
    async with app.run_test(size=(60, 24)) as pilot:
        await ready(pilot)
        await press(pilot, "comma")
        assert isinstance(app.screen, AllSettings)
        table = app.screen.table
        names = [(row.section, row.name) for row in table.rows]
        assert names[0] == ("Project", "shearing")
        assert {("Project", "image root"), ("Model dry-run", "batch")} <= set(names)
        assert names[-1][0] == "This user"
        assert "How captions are cut" in label_text(app, "#meaning")
        table.cursor = names.index(("Project", "image root"))
        await press(pilot, "enter")
        assert isinstance(app.screen, AllSettings), "it cannot be changed"
        await until(pilot, lambda: "about" in " ".join(table.rows[exif_row(table.rows)].lines))
        table.cursor = exif_row(table.rows)
        await settle(pilot)
        said = " ".join(label_text(app, "#meaning").split())
        assert "A change captions 6 images again, about" in said
        assert "one of stored, upright default: stored" in said
        await press(pilot, "enter")
        assert isinstance(app.screen, ModelSettings)
        await until(pilot, lambda: app.focused is not None and app.focused.id == "set-exif")
        assert "A change captions 6 images again" in label_text(app, "#help")
        app.screen.query_one("#set-exif", Select).value = "upright"
        await press(pilot, "ctrl+n")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        said = app.screen.consequence  # type: ignore[attr-defined]
        assert "captions 6 images again" in said
        assert "stay in captions/dry-run-" in said


def exif_row(rows: Sequence[SettingRow]) -> int:
    return next(number for number, row in enumerate(rows) if row.name == "exif")


async def test_settings_that_begin_anew_are_confirmed(
    tmp_path: Path, run_control: FakeRunControl
) -> None:
    otter = CHECKPOINTS["otter"](tmp_path / "otter")
    project = canned_projects.copy_canned_project(tmp_path / "p", "finished")
    with writing(project.database) as connection:
        from db import projects

        model = projects.models(connection)[2]
        settings = model.settings | {"prompt": "<image> Describe:"}
        projects.save_model(connection, replace(model, checkpoint=str(otter), settings=settings))
        supervisor_writes.forget_supervisor(connection)
    app = MllmaugApp(project.folder)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "M", "j", "j", "enter")
        app.screen.query_one("#set-seed", Input).value = "7"
        await press(pilot, "ctrl+n")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        assert "Start over with otter, which has" in app.screen.question  # type: ignore[attr-defined]
        await press(pilot, "n")
        assert isinstance(app.screen, ModelSettings)
        await press(pilot, "ctrl+n")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await press(pilot, "y")
        await until(pilot, lambda: run_control.calls)
    assert run_control.calls == [("set", {"model": "otter", "changes": {"seed": "7"}})]


async def test_settings_stay_while_it_runs(tmp_path: Path) -> None:
    app = MllmaugApp(canned_projects.copy_canned_project(tmp_path / "p", "busy").folder)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "M")
        assert "the project is running: stop it first" in str(app.screen.query_one(Static).content)
        await press(pilot, "a")
        assert isinstance(app.screen, Models)
        await press(pilot, "enter")
        app.screen.query_one("#set-batch", Input).value = "9"
        await settle(pilot)
        assert app.screen.query_one("#save").disabled
        assert "stop it first" in label_text(app, "#said")
        await press(pilot, "escape", "y", "H")
        assert isinstance(app.screen, Dashboard)


async def test_add_a_model(captioned: Path, tmp_path: Path) -> None:
    otter = CHECKPOINTS["otter"](tmp_path / "otter")
    app = MllmaugApp(captioned)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "M", "a")
        assert isinstance(app.screen, AddModel)
        app.screen.query_one("#family", Select).value = "otter"
        await press(pilot, "ctrl+n")
        await until(pilot, lambda: "otter needs a checkpoint" in label_text(app, "#said"))
        app.screen.query_one("#checkpoint", Input).value = str(otter)
        await press(pilot, "ctrl+n")
        await until(pilot, lambda: len(manifest(captioned)["models"]) == 2)
        await until(pilot, lambda: app.session.snapshot and len(app.session.snapshot.models) == 2)
    assert status(captioned)["tasks"]["pending"] == 2


async def test_add_a_second_model_of_a_family(captioned: Path) -> None:
    app = MllmaugApp(captioned)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "M", "a")
        app.screen.query_one("#family", Select).value = "dry-run"
        name = app.screen.query_one("#name", Input)
        await until(pilot, lambda: name.value == "dry-run-2")
        name.value = "otter"
        await press(pilot, "ctrl+n")
        await until(pilot, lambda: "otter is itself a family" in label_text(app, "#said"))
        name.value = "again"
        await press(pilot, "ctrl+n")
        await until(pilot, lambda: app.session.snapshot and len(app.session.snapshot.models) == 2)
    assert [it["name"] for it in manifest(captioned)["models"]] == ["dry-run", "again"]


async def test_shear_again_and_measure_all(captioned: Path) -> None:
    app = MllmaugApp(captioned)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "H")
        assert isinstance(app.screen, Reshear)
        app.screen.query_one(Select).value = "sentence"
        await settle(pilot)
        assert "the first sentence" in label_text(app, "#meaning")
        app.screen.query_one("#words", Input).value = "3"
        await press(pilot, "ctrl+n")
        await until(pilot, lambda: isinstance(app.screen, Dashboard))
        assert manifest(captioned)["project"]["shear_max_words"] == 3
        await press(pilot, "h", "a")
        assert isinstance(app.screen, Report)
        await until(pilot, lambda: "kept words" in label_text(app, "#lines"))
        assert "3.0" in label_text(app, "#lines")
        await press(pilot, "j", "k", "escape", "escape")
        assert isinstance(app.screen, Dashboard)


async def test_doctor(captioned: Path) -> None:
    app = MllmaugApp(captioned)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "D")
        await until(pilot, lambda: "GiB free on the project's disk" in label_text(app, "#lines"))
        assert "3 of the first 3 images found" in label_text(app, "#lines")


async def test_run_on_devices_and_retry_failed(tmp_path: Path, run_control: FakeRunControl) -> None:
    app = MllmaugApp(canned_projects.copy_canned_project(tmp_path / "p", "create").folder)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "r", "w")
        assert isinstance(app.screen, Dashboard), "nothing failed, no device rests"
        await press(pilot, "u")
        assert isinstance(app.screen, Ask)
        field = app.screen.query_one(Input)
        field.value = "cpu:2"
        await field.action_submit()
        await until(pilot, lambda: run_control.calls)
        assert run_control.calls == [("start", {"devices": "cpu:2"})]


async def test_retry_failed_and_wake(tmp_path: Path, run_control: FakeRunControl) -> None:
    project = canned_projects.copy_canned_project(tmp_path / "p", "busy")
    with writing(project.database) as connection:
        resting = replace(canned_rows.gpu_row(3), state="resting", rest_until=canned_rows.NOW + 99)
        supervisor_writes.save_devices(connection, [resting])
    app = MllmaugApp(project.folder)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "r")
        assert "Retry 3 failed shards?" in app.screen.question  # type: ignore[attr-defined]
        await press(pilot, "y")
        ((kind, payload),) = run_control.calls
        assert kind == "retry"
        assert len(payload["tasks"]) == 3  # type: ignore[arg-type]
        await press(pilot, "w")
        assert run_control.calls[1] == ("wake", {"device": "cuda:3"})
