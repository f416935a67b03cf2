"""Loading a model writes nothing to stdout and stderr: a worker's log is for what matters."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

LOAD = """
import sys
from dataclasses import replace
from engine.captioners.registry import FAMILIES
for name, folder, tokenizer in zip(*[iter(sys.argv[1:])] * 3):
    settings = replace(FAMILIES[name].presets["paper"], tokenizer=tokenizer or None)
    FAMILIES[name].load(folder, settings, "cpu")
"""


def test_nothing_is_said(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    tokenizer = shutil.copytree(
        checkpoints["otter"],
        tmp_path / "mpt",
        ignore=shutil.ignore_patterns("*.bin", "config.json"),
    )
    arguments = ["otter", checkpoints["otter"], tokenizer]
    for name, folder in checkpoints.items():
        arguments += [name, folder, ""]
    command = [sys.executable, "-c", LOAD, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout + done.stderr == ""
