"""Inputs and checkpoints are data: none of their code is run, and nothing is opened to others."""

from __future__ import annotations

import ast
import json
import os
from pathlib import Path

import psutil
import pytest

import engine
from engine.captioners.registry import choose
from engine.datasets.exports.export import ExportOptions, export
from engine.operations.new_project import NewProject, create
from engine.project.layout import Project
from engine.supervisor.main import supervise
from tests.faults.support.projects import make_project, row_count
from tests.faults.support.supervisor_process import FAST_POLICY, SupervisorProcess
from tests.support.cli import MAIN, MISBEHAVING, cli_ok, start_cli
from tests.support.pictures import draw_picture
from tests.support.waiting import wait_for

SOURCES = [
    path
    for package in ("engine", "tui", "db")
    for path in (Path(engine.__file__).parent.parent / package).rglob("*.py")
]


def code_runners(source: str) -> list[str]:
    """Return the calls in a Python source that would run code from their input, or fetch some."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        options = {keyword.arg: getattr(keyword.value, "value", None) for keyword in node.keywords}
        wrong = name in ("eval", "exec", "os.system", "os.popen", "pickle.load", "pickle.loads")
        for forbidden in ("shell", "trust_remote_code", "allow_pickle", "use_kernels"):
            wrong = wrong or options.get(forbidden, False) is not False
        if name == "torch.load":
            wrong = wrong or options.get("weights_only") is not True
        if name.rpartition(".")[2] in LOADERS:
            wrong = wrong or options.get("trust_remote_code") is not False
        if name.endswith("from_pretrained"):
            wrong = wrong or options.get("local_files_only") is not True
        if name.rpartition(".")[2] in FETCHERS:
            wrong = True
        if wrong:
            found.append(ast.unparse(node))
    return found


LOADERS = ("from_pretrained", "from_config", "pipeline", "load_custom_generate", "load_dataset")
"""Functions that run the code of what they load unless they are told not to."""
FETCHERS = ("hf_hub_download", "snapshot_download", "cached_file", "get_kernel")
"""Functions that download what they are given the name of."""


def test_no_shell_no_eval_no_remote_code() -> None:
    """No function is called that would run code from its input."""
    for path in SOURCES:
        assert code_runners(path.read_text()) == [], path


@pytest.mark.parametrize(
    "breach",
    [
        "eval(text)",
        "subprocess.run(command, shell=True)",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "numpy.load(path, allow_pickle=flag)",
        "AutoConfig.from_pretrained(folder, local_files_only=True)",
        "AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=True)",
        "AutoModel.from_pretrained(folder, local_files_only=True, trust_remote_code=None)",
        "AutoModel.from_pretrained(folder, local_files_only=True, trust_remote_code=trusted)",
        "AutoModel.from_pretrained(folder, local_files_only=True, **options)",
        "AutoProcessor.from_pretrained(folder, trust_remote_code=False)",
        "AutoModelForCausalLM.from_config(config)",
        "transformers.pipeline('image-to-text', folder)",
        "huggingface_hub.snapshot_download(name)",
    ],
)
def test_a_call_that_would_run_code_is_found(breach: str) -> None:
    assert code_runners(f"def load(folder):\n    return [{breach}]") == [breach]


def test_no_port_is_opened(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run is a command of its own: a forked supervisor has sockets that earlier tests left."""
    monkeypatch.setenv("MISBEHAVIOUR", "slow")
    code = MISBEHAVING + MAIN
    with start_cli("run", project.folder, "--devices", "cpu:2", code=code) as running:
        try:
            wait_for(lambda: row_count(project) > 0)
            processes = [psutil.Process(running.pid)]
            processes += processes[0].children(recursive=True)
            assert len(processes) >= 3
            for process in processes:
                assert process.net_connections() == []
        finally:
            running.terminate()


@pytest.mark.parametrize(("umask", "others"), [(0o077, 0), (0o002, 0o064)])
def test_files_are_readable_by_those_whom_the_umask_names(
    tmp_path: Path, data: Path, umask: int, others: int
) -> None:
    before = os.umask(umask)
    try:
        project = make_project(tmp_path / "run", data / "captions.json")
        with SupervisorProcess(project) as running:
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


def test_control_characters_are_exported_unchanged_and_shown_as_text(tmp_path: Path) -> None:
    records = []
    for number, text in enumerate(HOSTILE):
        image = f"{number} {text[:12]}.png".replace("/", "").replace("\0", "")
        if number == 3:
            image = "3.png"
        draw_picture(tmp_path / "data" / image, number)
        records.append({"image": image, "caption": text})
    captions = tmp_path / "data/captions.json"
    captions.write_text(json.dumps(records))
    project = create(
        tmp_path / "run", NewProject(captions=[captions], models=[choose("dry-run")])
    ).project
    assert supervise(project, "cpu", FAST_POLICY)
    export(project, tmp_path / "out.json", ExportOptions(with_original=True))
    exported = json.loads((tmp_path / "out.json").read_text())
    assert [record["image"] for record in exported[::2]] == [record["image"] for record in records]
    assert [record["caption"] for record in exported[::2]] == HOSTILE
    output = cli_ok("samples", project.folder, "--count", 9) + cli_ok("status", project.folder)
    assert "[bold]not markup[/bold]" in output
    assert not any(ord(letter) < 32 and letter != "\n" for letter in output)
    assert "\x7f" not in output and "\x9b" not in output


def test_a_folder_with_our_names_in_it_shadows_nothing(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """People run the command in folders that hold an engine.py of their own."""
    trap = "open('shadowed', 'w')\nraise SystemExit('shadowed')"
    for name in ("engine", "db", "tui", "orjson", "PIL", "site"):
        (tmp_path / f"{name}.py").write_text(trap)
    monkeypatch.chdir(tmp_path)
    assert supervise(project, "cpu", FAST_POLICY)
    assert not (tmp_path / "shadowed").exists()
