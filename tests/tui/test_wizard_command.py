"""The command line that the wizard shows makes the same project."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Button, Input, Select

from db import projects
from db.connection import reading
from engine.captioners.registry import FAMILIES
from engine.datasets.inputs.read_options import ReadOptions
from engine.demo import checkpoint
from engine.project import own_commands
from engine.project.opening import open_project
from tests.support.pictures import make_captions
from tests.tui.conftest import label_text, open_wizard, press, run_shell_command, until
from tui.app import MllmaugApp
from tui.dialogs.wizard.review import new_command
from tui.dialogs.wizard.review import run_command as then_run
from tui.viewmodel import new_project
from tui.viewmodel.asked_settings import AskedSettings
from tui.viewmodel.new_project import ProjectDraft
from tui.widgets.checkbox import BracketCheckbox

HOSTILE = """it's "all" $HOME `id` \\n \\\n a second line; rm -rf . # [/x] * é 猫 ~ !! --seed=1"""


def contents(folder: Path) -> dict[str, Any]:
    """Return everything in a project but when and where it was made, and its name."""
    project = open_project(folder)
    with reading(project.database) as connection:
        row = asdict(projects.project(connection))
        models = [asdict(model) for model in projects.models(connection)]
        shards = [asdict(shard) for shard in projects.shards(connection)]
    for key in ("uid", "created"):
        row.pop(key)
    files = {path.name: path.read_bytes() for path in sorted(project.shards.iterdir())}
    for path in sorted(project.captions.rglob("*.jsonl")):
        files[str(path.relative_to(folder))] = path.read_bytes()
    return {"project": row, "models": models, "shards": shards, "files": files}


def hostile_draft(folder: Path) -> ProjectDraft:
    """Return a draft with every choice of the wizard made, in texts that are hard to quote."""
    data = folder / 'it\'s $HOME "data"\n `id` [x]'
    captions = make_captions(data, 7)
    blip = data / "it's 'blip' $1.json"
    blip.write_text(captions.read_text().replace('"caption": "', '"caption": "blip: '))
    interpreter = data / "it's $1/py thon"
    interpreter.parent.mkdir()
    interpreter.touch()
    return ProjectDraft(
        imports=(("blip", blip), ("otter", blip)),
        path_map=(("/it's $HOME ", f"{data}/"), ("no such", "")),
        captions=str(captions.rename(data / "-cap tions;.json")),
        image_root=str(data),
        folder=str(folder / "my 'run' $(date) \\"),
        models={
            "otter": str(checkpoint("otter")),
            "server": str(checkpoint("llava-1.5")),
            "dry-run": "",
        },
        asked={
            "otter": AskedSettings(
                family="otter",
                preset="official",
                entered={"prompt": HOSTILE, "temperature": "0.7", "max_new_tokens": "20"},
            ),
            "server": AskedSettings(
                family="server",
                entered={
                    "backend": "sglang",
                    "interpreter": str(interpreter),
                    "arguments": "--name 'a $HOME b' --flag",
                },
            ),
            "llava-1.5": AskedSettings(family="llava-1.5", entered={"prompt": "not chosen"}),
        },
        devices="cpu:2",
        mode="sentence",
        max_words=11,
        shard_size=3,
        skip_bad=True,
        check_images=True,
        options=ReadOptions(
            image_column="image",
            caption_column="caption",
            quoting="none",
            several_captions="each",
        ),
    )


def test_every_choice_is_in_the_line(tmp_path: Path) -> None:
    made = hostile_draft(tmp_path)
    folder = new_project.create(made, lambda _: None, lambda *_: None).project.folder
    by_the_wizard = contents(folder)
    own_commands.check(open_project(folder))  # the user named the interpreter in the wizard
    shutil.rmtree(folder)
    run_shell_command(new_command(made))
    assert contents(folder) == by_the_wizard
    models = {model["name"]: model for model in by_the_wizard["models"]}
    settings = models["otter"]["settings"]
    assert HOSTILE in settings["prompt"]
    assert settings["prompt"].startswith("<image>User:"), "the preset's conversation"
    assert (settings["temperature"], settings["max_new_tokens"]) == (0.7, 20)
    served = models["server"]["settings"]
    assert (served["backend"], Path(served["interpreter"]).name) == ("sglang", "py thon")
    assert json.loads(served["arguments"]) == ["--name", "a $HOME b", "--flag"]
    assert by_the_wizard["project"]["shear_mode"] == "sentence"
    assert then_run(made).endswith("--devices cpu:2")


def test_an_unchanged_choice_is_not(tmp_path: Path) -> None:
    captions = make_captions(tmp_path, 2)
    plain = ProjectDraft(captions=str(captions), folder="-run", models={"otter": "/m"})
    own = {"prompt": "<image> User: Describe in English: GPT: <answer>", "top_p": "none"}
    plain.asked_of("otter").entered = own
    assert new_command(plain) == f"mllmaug-tui new ./-run {captions} --model otter=/m"
    assert then_run(plain) == "mllmaug-tui run ./-run"


def test_a_free_folder_is_proposed(tmp_path: Path) -> None:
    assert ProjectDraft().folder == "my-run"  # the tests' current folder is empty
    (tmp_path / "my-run").mkdir()
    (tmp_path / "my-run-2").touch()
    assert ProjectDraft().folder == "my-run-3"


@pytest.mark.asyncio
async def test_as_typed(tmp_path: Path) -> None:
    captions = make_captions(tmp_path / "da ta", 5)
    app = MllmaugApp(None)
    async with app.run_test(size=(80, 24)) as pilot:
        wizard = await open_wizard(pilot)

        async def on() -> None:
            await until(pilot, lambda: wizard.step.why_not() is None)
            await press(pilot, "ctrl+n")

        wizard.query_one("#captions", Input).value = str(captions)
        wizard.query_one("#folder", Input).value = str(tmp_path / "my run")
        await on()
        for tick in wizard.query("#models BracketCheckbox").results(BracketCheckbox):
            tick.value = str(tick.label).startswith(("otter ", "server ", "dry-run"))
        for name in ("otter", "server"):
            path = f"#path-{list(FAMILIES).index(name)}"
            wizard.query_one(path, Input).value = str(checkpoint("otter"))
        await on()
        wizard.query_one("#spec", Input).value = "cpu"
        await until(pilot, lambda: wizard.draft.detected_devices)
        await on()
        prompt = wizard.query_one("#prompt-0", Input)
        prompt.value = "<image> <image>"
        await until(pilot, lambda: "must hold <image> once" in label_text(app, "#why-not"))
        prompt.value = 'What\'s "this" <image> worth: $5?'
        wizard.query_one("#temperature-0", Input).value = "warm"
        await until(pilot, lambda: "temperature must be a number" in label_text(app, "#why-not"))
        wizard.query_one("#temperature-0", Input).value = "0.7"
        interpreter = wizard.query_one("#interpreter-1", Input)
        interpreter.value = "/no/such/python"
        await until(pilot, lambda: "interpreter must be an existing" in label_text(app, "#why-not"))
        interpreter.value = sys.executable
        wizard.query_one("#preset-0", Select).value = "official"
        wizard.query_one("#mode-of-shearing", Input).value = "sentence"
        wizard.query_one("#words", Input).value = "9"
        await on()
        field = wizard.query_one("#shard-size", Input)
        field.value = "0"
        await until(pilot, lambda: wizard.query_one("#create").disabled)
        assert "records per shard: write a number" in label_text(app, "#why-not")
        field.value = "2"
        await until(pilot, lambda: not wizard.query_one("#create").disabled)
        changed = "changed for otter (preset, prompt, temperature), server (interpreter)"
        assert f"Settings  {changed}" in label_text(app, "#summary")
        await press(pilot, "ctrl+y")
        line = app.clipboard
        assert line == new_command(wizard.draft)
        wizard.query_one("#create", Button).press()
        await until(pilot, lambda: app._exit)
    folder = tmp_path / "my run"
    by_the_wizard = contents(folder)
    shutil.rmtree(folder)
    run_shell_command(line)
    assert contents(folder) == by_the_wizard
