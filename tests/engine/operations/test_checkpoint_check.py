"""`doctor --model`: the one command that a person with the real weights runs."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from engine.captioners.model_families import Family
from tests.support.checkpoints import GOLDEN
from tests.support.cli import cli, cli_ok


def test_a_good_checkpoint(checkpoints: dict[str, Path], family: Family) -> None:
    output = cli_ok("doctor", "--model", f"{family.name}={checkpoints[family.name]}")
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
    assert "golden logits is off by 1.0e-03" in output
    assert "4 of 5 golden tensors agree" in output


def test_settings_reach_the_checkpoint(checkpoints: dict[str, Path]) -> None:
    model = f"otter={checkpoints['otter']}"
    assert "bfloat16" in cli_ok("doctor", "--model", model, "--set", "otter.dtype=bfloat16")
    done = cli("doctor", "--model", model, "--set", "otter.dtype=int4")
    assert "dtype must be one of" in done.stdout + done.stderr
    assert cli("doctor", "--model", "llama=x").returncode == 2
