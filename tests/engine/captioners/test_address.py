"""The addresses of servers: which are accepted or refused, and their part in the settings hash."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from engine.captioners.registry import choose, choose_all
from engine.utils.errors import BadInput
from tests.support.cli import cli, cli_ok
from tests.support.pictures import make_captions
from tui.dialogs.wizard.models import checkpoint_problem


def test_an_address_chooses_the_family_and_its_name_is_free() -> None:
    choices = choose_all(
        ["qwen2.5-vl=http://localhost:8000/v1/", "b=https://host/v1"],
        None,
        ["qwen2.5-vl.prompt=Say it.", "b.served_model=org/model"],
    )
    assert [(it.name, it.family, it.checkpoint) for it in choices] == [
        ("qwen2.5-vl", "endpoint", "http://localhost:8000/v1"),
        ("b", "endpoint", "https://host/v1"),
    ]
    assert choices[0].settings["prompt"] == "Say it."
    assert choices[1].settings["served_model"] == "org/model"


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("a=http://user:secret@host/v1", "MLLMAUG_API_KEY"),
        ("a=http://secret@host/v1", "MLLMAUG_API_KEY"),
        ("a=http://host/v1?key=secret", "must end before '?'"),
        ("a=http://host/v1#secret", "must end before '?'"),
        ("a=http://", "no server's address"),
        ("a=http://host:99999/v1", "no server's address"),
        ("a=http://[host/v1", "no server's address"),
        ("a=http://host/v1/chat/completions", "up to /v1"),
        ("../a=http://host/v1", "cannot name a model"),
        (".=http://host/v1", "cannot name a model"),
        ("=http://host/v1", "cannot name a model"),
        ("endpoint", "needs a checkpoint"),
        ("endpoint=folder", "no server's address"),
        ("a=folder", "or with a server's address"),
        ("dry-run=folder", "takes no checkpoint"),
    ],
)
def test_what_is_no_address_is_refused_and_no_password_repeated(
    tmp_path: Path, model: str, message: str
) -> None:
    make_captions(tmp_path, 2)
    done = cli("new", tmp_path / "run", tmp_path / "captions.json", "--model", model)
    assert done.returncode == 2
    assert message in done.stderr
    assert "secret" not in done.stderr + done.stdout
    assert not (tmp_path / "run").exists()


def test_settings_that_a_server_has_not_are_refused() -> None:
    with pytest.raises(BadInput, match="no setting 'dtype'"):
        choose("a=http://host/v1", changes={"dtype": "float32"})
    with pytest.raises(BadInput, match="served_model"):
        choose("a=http://host/v1", changes={"served_model": ""})


def test_a_server_that_moved_keeps_its_captions_if_its_model_is_named() -> None:
    def settings_hash(address: str, **changes: str) -> str:
        return choose(f"a={address}", changes=changes).settings_hash

    one, two = "http://one/v1", "http://two/v1"
    assert settings_hash(one) != settings_hash(two)
    assert settings_hash(one, served_model="m") == settings_hash(two, served_model="m")
    assert settings_hash(one, served_model="m") != settings_hash(one, served_model="n")
    assert settings_hash(one) == settings_hash(one, batch="3")
    assert settings_hash(one) != settings_hash(one, prompt="Else.")


def test_the_wizard_takes_an_address() -> None:
    def problem(address: str) -> str:
        return checkpoint_problem("endpoint", {"endpoint": address}) or ""

    assert not problem("http://localhost:8000/v1")
    assert "no server's address" in problem("/some/folder")
    assert "address of a running server" in problem("")


def test_models_lists_it() -> None:
    assert "endpoint: any OpenAI-compatible server" in cli_ok("models")


def test_a_worker_that_asks_a_server_loads_no_torch() -> None:
    code = (
        "import sys, engine.worker.worker, engine.captioners.remote.captioner; print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "transformers"} & set(done.stdout.split())
