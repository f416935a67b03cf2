"""`doctor --model`: the one command that a person with the real weights runs."""

from __future__ import annotations

import shutil

import torch
from safetensors.torch import load_file, save_file

from tests.support.checkpoints import GOLDEN
from tests.support.cli import cli, cli_ok


def test_a_good_checkpoint(checkpoints, family):
    said = cli_ok("doctor", "--model", f"{family.name}={checkpoints[family.name]}")
    assert "layout" in said
    assert "parameters, float32" in said
    assert "no key is missing" in said
    assert "of a red disc over a blue bar it says" in said
    assert "CHECK" not in said


def test_a_bad_one(broken, family):
    for path in broken.rglob("*.bin"):
        path.write_bytes(path.read_bytes()[:5000])
    done = cli("doctor", "--model", f"{family.name}={broken}")
    assert done.returncode == 1
    assert "damaged or cut short" in done.stdout


def test_golden_files_are_compared(tmp_path):
    """Without a tokenizer nothing can be captioned, but figures can be compared."""
    folder = shutil.copytree(GOLDEN / "qwen_vl/A", tmp_path / "A")
    said = cli("doctor", "--model", f"qwen-vl={folder}").stdout
    assert "lacks qwen.tiktoken" in said
    assert "5 of 5 golden tensors agree with the official code" in said
    expected = load_file(folder / "expected.safetensors")
    expected["logits"] += 1e-3 * torch.eye(*expected["logits"].shape[1:])
    save_file(expected, folder / "expected.safetensors")
    said = cli("doctor", "--model", f"qwen-vl={folder}").stdout
    assert "golden logits is off by 1.0e-03" in said
    assert "4 of 5 golden tensors agree" in said


def test_settings_reach_the_checkpoint(checkpoints):
    model = f"otter={checkpoints['otter']}"
    assert "bfloat16" in cli_ok("doctor", "--model", model, "--set", "otter.dtype=bfloat16")
    done = cli("doctor", "--model", model, "--set", "otter.dtype=int4")
    assert "dtype must be one of" in done.stdout + done.stderr
    assert cli("doctor", "--model", "llama=x").returncode == 2
