"""Inputs and checkpoints are data: nothing of them is run, and nothing is opened to others."""

from __future__ import annotations

import ast
import json
import os
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

import engine
from engine.captioners.registry import choose
from engine.datasets.exports.export import ExportOptions, export
from engine.demo import checkpoint
from engine.operations.new_project import NewProject, create
from engine.supervisor.main import supervise
from tests.faults.support.forked import HASTY, Supervising
from tests.faults.support.projects import events, make, rows, sums
from tests.support.cli import MAIN, MISBEHAVING, cli_ok, start
from tests.support.pictures import draw
from tests.support.waiting import wait_for

SOURCES = [
    path
    for package in ("engine", "tui", "db")
    for path in (Path(engine.__file__).parent.parent / package).rglob("*.py")
]


class Bomb:
    """A pickle of this runs a command when it is loaded."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


def test_a_checkpoint_runs_no_code(tmp_path):
    """Weights that are a pickle with code in it: the model is refused, the run ends."""
    folder = tmp_path / "checkpoint"
    shutil.copytree(checkpoint("llava-1.5"), folder)
    (folder / "model.safetensors").unlink()
    mark = tmp_path / "code was run"
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"weight": Bomb(mark)}))
    draw(tmp_path / "a.png", 1)
    captions = tmp_path / "captions.json"
    captions.write_text(json.dumps([{"image": "a.png", "caption": ""}]))
    wanted = NewProject([captions], [choose(f"llava-1.5={folder}")])
    project = create(tmp_path / "run", wanted).project
    policy = replace(HASTY, load_failures=1)
    assert supervise(project, "cpu", policy)
    assert sums(project)["failed"].tasks == 1
    assert "cannot load" in events(project)
    assert not mark.exists()
    pickle.loads(pickle.dumps(Bomb(mark)))
    assert mark.exists()  # it was a bomb


def test_no_shell_no_eval_no_remote_code():
    """What would run what people give us is not called anywhere."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                given = {word.arg: word.value for word in node.keywords}
                assert name not in ("eval", "exec", "os.system", "os.popen", "pickle.load"), path
                for forbidden in ("shell", "trust_remote_code", "allow_pickle"):
                    value = given.get(forbidden, ast.Constant(False))
                    assert getattr(value, "value", None) is False, path
                if name == "torch.load":
                    assert getattr(given.get("weights_only"), "value", None) is True, path


def test_no_port_is_opened(project, monkeypatch):
    """By a command of its own: a forked supervisor has what the tests before it left open."""
    monkeypatch.setenv("MISBEHAVIOUR", "slow")
    code = MISBEHAVING + MAIN
    with start("run", project.folder, "--devices", "cpu:2", code=code) as running:
        try:
            wait_for(lambda: rows(project) > 0)
            family = [psutil.Process(running.pid)]
            family += family[0].children(recursive=True)
            assert len(family) >= 3
            for process in family:
                assert process.net_connections() == []
        finally:
            running.terminate()


@pytest.mark.parametrize(("umask", "others"), [(0o077, 0), (0o022, 0o044), (0o002, 0o064)])
def test_files_are_readable_by_those_whom_the_umask_names(tmp_path, data, umask, others):
    before = os.umask(umask)
    try:
        project = make(tmp_path / "run", data / "captions.json")
        with Supervising(project) as running:
            assert running.wait() == 0
        export(project, tmp_path / "out.json")
    finally:
        os.umask(before)
    files = [path for path in project.folder.rglob("*") if path.is_file()]
    assert len(files) >= 3 * 3 + 4
    for path in [*files, tmp_path / "out.json"]:
        assert path.stat().st_mode & 0o077 & ~others == 0, path
    for path in project.captions.rglob("*.jsonl"):
        assert path.stat().st_mode & 0o077 == others, path


HOSTILE = [
    "[bold]not markup[/bold] [/]",
    "\x1b[2J\x1b]0;title\x07 cleared?",
    "line\nbreak \r\n tab\t nul \0 bell \x07 del \x7f c1 \x9b31m",
    "right to left \u202e gnirts, zero\u200bwidth, lone \ud83d",
    "狗 собака كلب 🐕 'quotes' \"and\" \\ {braces} %s $HOME `id` ; rm -rf /",
]


def test_control_characters_are_exported_unchanged_and_shown_as_text(tmp_path):
    records = []
    for number, text in enumerate(HOSTILE):
        image = f"{number} {text[:12]}.png".replace("/", "").replace("\0", "")
        if number == 3:
            image = "3.png"
        draw(tmp_path / "data" / image, number)
        records.append({"image": image, "caption": text})
    captions = tmp_path / "data/captions.json"
    captions.write_text(json.dumps(records))
    project = create(tmp_path / "run", NewProject([captions], [choose("dry-run")])).project
    assert supervise(project, "cpu", HASTY)
    export(project, tmp_path / "out.json", ExportOptions(with_original=True))
    found = json.loads((tmp_path / "out.json").read_text())
    assert [record["image"] for record in found[::2]] == [record["image"] for record in records]
    assert [record["caption"] for record in found[::2]] == HOSTILE
    said = cli_ok("samples", project.folder, "--count", 9) + cli_ok("status", project.folder)
    assert "[bold]not markup[/bold]" in said
    assert not any(ord(letter) < 32 and letter != "\n" for letter in said)
    assert "\x7f" not in said and "\x9b" not in said


def test_a_folder_with_our_names_in_it_shadows_nothing(project, tmp_path, monkeypatch):
    """People run from folders that hold an engine.py of their own."""
    trap = "open('shadowed', 'w')\nraise SystemExit('shadowed')"
    for name in ("engine", "db", "tui", "orjson", "PIL", "site"):
        (tmp_path / f"{name}.py").write_text(trap)
    monkeypatch.chdir(tmp_path)
    assert supervise(project, "cpu", HASTY)
    assert not (tmp_path / "shadowed").exists()
