"""`doctor --model`: the one command that a person with the real weights runs."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.captioners.model_families import Family
from engine.captioners.preprocessing import chat_template
from engine.demo import checkpoint
from engine.quality.alarms import NAMES
from tests.engine.captioners.families.hf_truth.llava_like import (
    llava_whose_template_begins_with_bos,
)
from tests.engine.captioners.families.hf_truth.making import write
from tests.support.checkpoints import GOLDEN, change_json
from tests.support.cli import cli, cli_ok


def test_a_good_checkpoint(checkpoints: dict[str, Path], family: Family) -> None:
    # What random weights say is nothing but leaks.
    limits = f"{family.name}.limits={','.join(f'{name}=off' for name in NAMES)}"
    model = f"{family.name}={checkpoints[family.name]}"
    output = cli_ok("doctor", "--model", model, "--set", limits)
    assert "layout" in output
    assert "parameters, float32" in output
    assert "no key is missing" in output
    assert "of a red disc over a blue bar it says" in output
    assert "CHECK" not in output


def test_a_damaged_checkpoint(damaged_checkpoint: Path, family: Family) -> None:
    for path in damaged_checkpoint.rglob("*.bin"):
        path.write_bytes(path.read_bytes()[:5000])
    done = cli("doctor", "--model", f"{family.name}={damaged_checkpoint}")
    assert done.returncode == 1
    assert "damaged or cut short" in done.stdout


def test_golden_files_are_compared(tmp_path: Path) -> None:
    """Without a tokenizer nothing can be captioned, but tensors can be compared."""
    folder = shutil.copytree(GOLDEN / "qwen_vl/A", tmp_path / "A")
    output = cli("doctor", "--model", f"qwen-vl={folder}").stdout
    assert "lacks qwen.tiktoken" in output
    assert "5 of 5 golden tensors agree with the official code" in output
    expected = load_file(folder / "expected.safetensors")
    expected["logits"] += 1e-3 * torch.eye(*expected["logits"].shape[1:])
    save_file(expected, folder / "expected.safetensors")
    output = cli("doctor", "--model", f"qwen-vl={folder}").stdout
    assert "golden logits differs from the official code by 1.0e-03" in output
    assert "4 of 5 golden tensors agree" in output


def test_settings_reach_the_checkpoint(checkpoints: dict[str, Path]) -> None:
    model = f"otter={checkpoints['otter']}"
    assert "bfloat16" in cli("doctor", "--model", model, "--set", "otter.dtype=bfloat16").stdout
    done = cli("doctor", "--model", model, "--set", "otter.dtype=int4")
    assert "dtype must be one of" in done.stdout + done.stderr
    assert cli("doctor", "--model", "llama=x").returncode == 2


def test_a_load_that_asks_finds_nobody(
    checkpoints: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a person types next is for the shell, not for a library."""
    heard: list[bytes] = []

    def ask(*arguments: object) -> None:
        heard.append(os.read(0, 10))
        input("Do you wish to run the custom code? [y/N] ")

    monkeypatch.setattr("engine.captioners.families.llava.load", ask)
    stdin = sys.stdin
    reader, writer = os.pipe()
    kept = os.dup(0)
    os.dup2(reader, 0)
    try:
        os.write(writer, b"yes\n")
        done = cli("doctor", "--model", f"llava-1.5={checkpoints['llava-1.5']}")
        assert os.read(0, 10) == b"yes\n"
    finally:
        os.dup2(kept, 0)
        for end in (reader, writer, kept):
            os.close(end)
    assert heard == [b""]
    assert sys.stdin is stdin
    assert done.returncode == 1
    assert "cannot be loaded: EOFError: EOF when reading a line" in done.stdout


@pytest.mark.parametrize(
    "error",
    [KeyError("vision_config"), RuntimeError("shape '[-1]' is invalid\nin full"), OSError(5)],
)
def test_a_load_never_ends_in_a_traceback(
    checkpoints: dict[str, Path], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*arguments: object) -> None:
        raise error

    monkeypatch.setattr("engine.captioners.families.llava.load", fail)
    done = cli("doctor", "--model", f"llava-1.5={checkpoints['llava-1.5']}")
    assert done.returncode == 1
    assert type(error).__name__ in done.stdout.splitlines()[-1]
    assert "Traceback" not in done.stdout + done.stderr


def test_code_and_templates_of_a_folder(tmp_path: Path) -> None:
    """As people meet them: a folder with its own code, and one whose template never ends."""
    folder = shutil.copytree(checkpoint("llava-1.5"), tmp_path / "llava")
    loops = "{% for a in range(99999) %}" * 4 + "{% endfor %}" * 4
    (folder / "chat_template.jinja").write_text(loops)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chat_template, "CPU_SECONDS", 1)
        done = cli("doctor", "--model", f"own=hf:{folder}")
    assert done.returncode == 1
    assert f"CHECK own: {folder}: the checkpoint's chat template" in done.stdout.splitlines()[-1]
    change_json(folder / "config.json", model_type="own", auto_map={"AutoModel": "own.Own"})
    done = cli("doctor", "--model", f"own=hf:{folder}")
    assert done.returncode == 1
    assert "config.json: auto_map names code of the checkpoint" in done.stdout.splitlines()[-1]


def test_the_prompt_is_shown_as_the_checkpoints_own_processor_makes_it(tmp_path: Path) -> None:
    folder = write(llava_whose_template_begins_with_bos(), tmp_path / "joy")
    output = cli("doctor", "--model", f"joy=hf:{folder}").stdout  # its caption is random
    first = "'<|begin_of_text|>' '<|start_header_id|>' 'user' '<|end_header_id|>'"
    assert f"ok    joy: asked with 36 tokens: {first}" in output
    assert "(24 more)" in output and r"'<|end_header_id|>' '\n' '\n'" in output


def test_a_sick_open_model_is_a_line_and_no_traceback(tmp_path: Path) -> None:
    folder = write(llava_whose_template_begins_with_bos(), tmp_path / "joy")
    change_json(folder / "processor_config.json", patch_size=7)
    done = cli("doctor", "--model", f"joy=hf:{folder}")
    assert done.returncode == 1
    assert "CHECK joy: " in done.stdout and "it fails at a test picture (" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
