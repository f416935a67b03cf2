"""The command line of each engine, and where key, port and checkpoint stand in it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from engine.captioners.errors import CheckpointError
from engine.captioners.registry import choose
from engine.captioners.remote.engines.commands import KEY_VARIABLE, ServerCommand, server_command
from engine.captioners.settings import ENGINES, Settings
from engine.utils.errors import BadInput

KEY = "a-key"


def command(folder: Path, device: str = "cuda", **changes: str) -> ServerCommand:
    """Return the command of a model as `--model` and `--set` make it, run by this Python."""
    if not (folder / "config.json").exists():
        (folder / "config.json").write_text("{}")
    interpreter = {"interpreter": sys.executable}
    model = choose(f"m=server:{folder}", changes=interpreter | changes)
    assert model.checkpoint is not None
    return server_command(Settings.of(model.settings), model.checkpoint, device, 4321, KEY)


@pytest.mark.parametrize(
    ("engine", "device", "words"),
    [
        ("vllm", "cuda", ["-m", "vllm.entrypoints.openai.api_server", "--model", "FOLDER"]),
        ("sglang", "cuda", ["-m", "sglang.launch_server", "--model-path", "FOLDER", "--host"]),
        ("sglang", "cpu", ["--model-path", "FOLDER", "--device", "cpu"]),
        ("lmdeploy", "cuda", ["-m", "lmdeploy", "serve", "api_server", "FOLDER", "--server-name"]),
        ("transformers", "cuda", ["serve", "FOLDER", "--device", "cuda"]),
    ],
)
def test_an_engine_serves_the_folder_on_this_machine_alone(
    tmp_path: Path, engine: str, device: str, words: Sequence[str]
) -> None:
    made = command(tmp_path, device, backend=engine)
    assert made.arguments[0] == sys.executable
    shown = " ".join(made.arguments)
    assert " ".join(words).replace("FOLDER", str(tmp_path)) in shown
    assert "127.0.0.1" in made.arguments and "4321" in made.arguments
    assert made.environment[KEY_VARIABLE] == KEY


@pytest.mark.parametrize("engine", ["vllm", "llama.cpp", "transformers"])
def test_the_key_stands_in_no_argument_where_the_environment_can_hold_it(
    tmp_path: Path, engine: str
) -> None:
    for name in ("model.gguf", "mmproj-model.gguf"):
        (tmp_path / name).touch()
    assert KEY not in command(tmp_path, backend=engine).arguments


def test_interpreter_and_further_arguments(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.touch()
    made = command(tmp_path, interpreter=str(python), arguments="--max-model-len 4096 --x 'a b'")
    assert made.arguments[0] == str(python)
    assert made.arguments[-4:] == ("--max-model-len", "4096", "--x", "a b")
    assert command(tmp_path, arguments='["--x", "$(id)"]').arguments[-1] == "$(id)"


def test_a_command_of_ones_own_is_filled_in_once(tmp_path: Path) -> None:
    """What comes in place of a mark is no mark itself, and no shell reads any of it."""
    folder = tmp_path / "{key} $(id)"
    folder.mkdir()
    made = command(folder, backend="serve --model={model} -p {port} --key {key} ';' {other}")
    assert made.arguments == (
        *("serve", f"--model={folder}", "-p", "4321", "--key", KEY, ";", "{other}"),
    )
    assert made.health == "/v1/models"


@pytest.mark.parametrize(
    ("backend", "message"),
    [
        ("vlm", "backend must be"),
        ("serve {model}", "backend must be"),
        ("serve '{port}", "backend must be"),
        ("", "backend must be"),
        ("[1]", "backend must be"),
    ],
)
def test_what_is_no_engine_and_no_command_is_refused(
    tmp_path: Path, backend: str, message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        command(tmp_path, backend=backend)


def test_a_program_is_named_from_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = command(tmp_path, backend="./serve {port}")
    assert made.arguments == (str(tmp_path / "serve"), "4321")


@pytest.mark.parametrize(
    ("files", "model", "message"),
    [
        (["m.gguf", "mmproj-m.gguf"], "m.gguf", None),
        (["m-00001-of-00002.gguf", "m-00002-of-00002.gguf", "mmproj.gguf"], "m-00001-of-", None),
        (["m.gguf"], "", "of the vision tower"),
        (["mmproj.gguf"], "", "of the model, not none"),
        (["a.gguf", "b.gguf", "mmproj.gguf"], "", "of the model, not a.gguf, b.gguf"),
    ],
)
def test_llama_cpp_gets_the_files_of_a_folder(
    tmp_path: Path, files: Sequence[str], model: str, message: str | None
) -> None:
    for name in files:
        (tmp_path / name).touch()
    if message is not None:
        with pytest.raises(CheckpointError, match=message):
            command(tmp_path, backend="llama.cpp")
        return
    made = command(tmp_path, backend="llama.cpp")
    assert made.arguments[:2] == (sys.executable, "--model")
    assert made.arguments[2].startswith(str(tmp_path / model))
    assert "mmproj" in made.arguments[4]


@pytest.mark.parametrize(
    ("engine", "message"),
    [("lmdeploy", "lmdeploy is not installed for "), ("llama.cpp", "no llama-server in the PATH")],
)
def test_an_engine_that_is_not_here_is_to_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str, message: str
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    for name in ("model.gguf", "mmproj.gguf"):
        (tmp_path / name).touch()
    with pytest.raises(CheckpointError, match=f"{message}.*the setting interpreter"):
        command(tmp_path, backend=engine, interpreter="none")


def test_a_folder_without_a_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"lacks config\.json, or a GGUF file"):
        choose(f"m=server:{tmp_path}")


def test_captions_depend_on_the_engine_and_not_on_where_it_lies(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    hashes = {
        choose(f"m=server:{tmp_path}", changes={"backend": engine}).settings_hash
        for engine in ENGINES
    }
    assert len(hashes) == len(ENGINES)
    python = {"interpreter": sys.executable}
    assert choose(f"m=server:{tmp_path}", changes=python).settings_hash in hashes
    more = {"arguments": "--dtype float32"}
    assert choose(f"m=server:{tmp_path}", changes=more).settings_hash not in hashes
